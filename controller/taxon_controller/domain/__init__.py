"""What the controller talks about: the model, its history, its hosts, what can be done."""
