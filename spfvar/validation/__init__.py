"""The model beside what was published: comparisons, runs, scores."""
