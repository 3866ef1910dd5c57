"""How people write numbers and moments."""
