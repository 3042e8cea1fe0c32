"""What the logs leave out, so that what matters in them is found."""

import logging

SERVER_ERROR = 500


class WithoutStackOfRefusals(logging.Filter):
    """A request that was refused (403, 404 …) gets its line; only errors of ours get a stack."""

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "status_code", SERVER_ERROR) < SERVER_ERROR:
            record.exc_info = record.exc_text = None
        return True
