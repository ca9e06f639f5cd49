"""Says hello."""

from serve import serve

serve(lambda request: request.answer("Hello World! How about some tasty noodles?\n"))
