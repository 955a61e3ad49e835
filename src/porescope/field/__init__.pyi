from .masks import find_field, look_for_field

__all__ = ["find_field", "look_for_field"]
