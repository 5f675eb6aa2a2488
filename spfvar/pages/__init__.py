"""Pages beside a review: of a comparison, and a gallery of everything that is known."""
