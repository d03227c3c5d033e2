"""Data sets that ship inside the package.

iris: 150 flowers, four lengths in centimetres, three species. R. A. Fisher, "The use of multiple
measurements in taxonomic problems", Annals of Eugenics 7 (1936); in the public domain.
"""
