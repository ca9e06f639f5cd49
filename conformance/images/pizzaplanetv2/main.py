"""The second of two versions."""

from serve import serve

serve(lambda request: request.answer("Re-energize yourself with a slice of pepperoni!"))
