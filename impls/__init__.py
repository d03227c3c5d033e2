"""What is compared: the hand-written reference and one adaptor per framework."""
