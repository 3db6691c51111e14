"""Upload fields with limits of size."""

from __future__ import annotations

from typing import Any

import panel_material_ui as pmui

from workbench.errors import WorkbenchError


class Upload(pmui.FileInput):
    """A field for files of at most `max_file_size` bytes together.

    The browser refuses larger files with a message; the limit is checked here again.
    """

    def _handle_msg(self, msg: Any) -> None:
        """Receive a message of the browser: a part of a file, or an error.

        Raises
        ------
        WorkbenchError
            If the file is too large, or could not be sent.
        """
        if msg.get("status") == "error":
            self._file_buffer.clear()
            reason = str(msg.get("error", "") or "the browser did not send it")
            if "exceeds" in reason:
                raise self._too_large()
            message = f"The file was not uploaded: {reason:.200}."
            raise WorkbenchError(message)
        super()._handle_msg(msg)

    def _process_chunk(self, msg: Any) -> None:
        parts = [each["chunks"].values() for each in self._file_buffer.values()]
        held = sum(len(part) for chunks in parts for part in chunks)
        held += sum(len(whole["value"]) for whole in self._buffer)
        if held + len(msg["data"]) > self.max_file_size:
            self._file_buffer.clear()
            self._buffer.clear()
            raise self._too_large()
        super()._process_chunk(msg)

    def _too_large(self) -> WorkbenchError:
        limit = f"{self.max_file_size / 1e6:.0f} MB"
        return WorkbenchError(
            f"The file is too large: at most {limit} can be uploaded.",
            "Split or compress it, or take it in on the server's command line.",
        )
