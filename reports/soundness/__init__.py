"""The soundness campaign: correct implementations at random points, of which none may be called wrong."""
