"""One builder per object Taxon creates: values in, a plain manifest out."""
