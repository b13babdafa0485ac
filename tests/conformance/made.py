"""The objects that a test has made, so that they can be deleted after it, whether it passes or fails."""

from urllib.parse import quote

import httpx

KEYS = {
    "mailboxes": "local_part",
    "identities": "local_part",
    "forwardings": "address",
    "aliases": "local_part",
    "rewrites": "name",
}
"""The field that names an object in its path (migadu-behaviour.md 1.1). Domains cannot be deleted at all."""


class Made:
    """The addresses of the objects that answers have shown, oldest first."""

    def __init__(self) -> None:
        self._urls: list[httpx.URL] = []

    def note(self, answer: httpx.Response) -> None:
        """Remember what was made or renamed, forget what was deleted."""
        answer.read()
        if answer.status_code == 200:
            self._note(answer.request.method, answer.request.url, answer)

    def delete_all(self, client: httpx.Client) -> None:
        """Delete what is left, children first; a 500 may mean that it is gone (migadu-behaviour.md 2.3)."""
        for url in reversed(list(self._urls)):
            assert client.delete(url).status_code in (200, 404) or client.get(url).status_code == 404, url.path

    def _note(self, method: str, url: httpx.URL, answer: httpx.Response) -> None:
        if method == "POST" and (key := KEYS.get(_last(url))):
            self._urls.append(_below(url, answer.json()[key]))
        elif method == "PUT" and url in self._urls and _last(_parent(url)) == "rewrites":
            self._urls[self._urls.index(url)] = _below(_parent(url), answer.json()["name"])
        elif method == "DELETE" and url in self._urls:
            self._urls.remove(url)


def _last(url: httpx.URL) -> str:
    return url.path.rpartition("/")[2]


def _below(url: httpx.URL, key: str) -> httpx.URL:
    return url.copy_with(raw_path=url.raw_path + b"/" + quote(key, safe="").encode())


def _parent(url: httpx.URL) -> httpx.URL:
    return url.copy_with(raw_path=url.raw_path.rpartition(b"/")[0])
