"""One builder per object Taxon makes: values in, a plain manifest out."""
