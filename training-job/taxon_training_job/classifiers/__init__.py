"""The families of classifiers Taxon trains, one module each."""
