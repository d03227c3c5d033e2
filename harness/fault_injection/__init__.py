"""Power: which planted faults a comparison would have missed."""
