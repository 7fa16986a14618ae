"""Files written whole or not at all, and read without taking "cannot look" for "is not there"."""
