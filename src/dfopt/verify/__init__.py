"""Proof: a Dockerfile as it is and as fixed, both built, and each difference of the images held against what was declared."""
