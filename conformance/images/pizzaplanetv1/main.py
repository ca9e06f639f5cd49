"""The first of two versions."""

from serve import serve

serve(lambda request: request.answer("What a spaceport!"))
