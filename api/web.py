"""Serves the built web interface: every path that is no file and no API is the one page."""

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from etlfabric_core.errors import NotFound

RESERVED = ("api/", "internal/", "assets/")


class ImmutableFiles(StaticFiles):
    """Files whose names carry the hash of their content."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """The file, cacheable for ever."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def mount(app: FastAPI, web_dir: Path) -> None:
    """Adds the interface as the last routes, where it has been built."""
    index = web_dir / "index.html"
    if not index.is_file():
        return
    app.mount("/assets", ImmutableFiles(directory=web_dir / "assets", check_dir=False))
    # Only files that exist now are ever served: a path of a request is never joined to a folder.
    files = {path.name: path for path in web_dir.iterdir() if path.is_file()}

    @app.get("/{path:path}", include_in_schema=False)
    async def page(path: str, request: Request) -> FileResponse:
        if path.startswith(RESERVED):
            raise NotFound(f"there is no route {request.method} {request.url.path}")
        if path in files and path != "index.html":
            return FileResponse(files[path])
        return FileResponse(index, headers={"Cache-Control": "no-cache"})
