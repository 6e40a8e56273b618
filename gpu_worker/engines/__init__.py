"""The engines, a module or folder each. None knows another, the queue or the store."""
