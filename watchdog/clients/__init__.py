"""Clients of outside services, shared by the rooms that need them; each is imported only when it is configured."""
