"""Pictures as answers: kept by the browser for a week, unless they only say why there is none."""

from flask import Response, request

_WEEK = 7 * 24 * 3600


def picture(data: bytes, kind: str, etag: str | None) -> Response:
    """Return a picture; `etag` changes whenever it would, None keeps it out of the browser's cache.

    Args:
        data: the encoded picture.
        kind: its media type, such as "image/jpeg".
        etag: what tells versions apart.
    """
    response = Response(data, mimetype=kind)
    if etag is None:
        response.headers["Cache-Control"] = "no-store"
        return response
    response.set_etag(etag)
    response.headers["Cache-Control"] = f"private, max-age={_WEEK}, immutable"
    response.make_conditional(request)
    return response
