"""Proofs of fixes by real builds, and the comparer of images that they stand on."""
