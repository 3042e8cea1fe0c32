"""Transfers of chats between PSAPs: custody as a table, and what each step writes (6.2.6, 6.3)."""
