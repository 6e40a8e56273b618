"""HTTP and WebSocket views, one folder per kind of caller; no folder may import another."""
