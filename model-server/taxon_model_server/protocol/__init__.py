"""The Open Inference Protocol's tensors and messages, apart from any transport."""
