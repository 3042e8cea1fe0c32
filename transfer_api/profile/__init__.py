"""`Data` of an execution request (Annex A.3): a whole chat as JSON, by the schema that we publish.

`writer` makes it of our record, `reader` makes plain values of a peer's. docs/transfer.md has the
chapter for implementers, transfer_api/schemas/data.json the schema.
"""
