"""Links from the documentation to other files of the repository lead to the repository on the web. That the files exist is
checked by `cargo xtask tidy`; links from page to page are checked by `mkdocs build --strict`."""

import posixpath
import re

# The end of a link in Markdown: `](target`, with what comes behind `#` left as it is.
LINK = re.compile(r"\]\((?P<target>[^)\s#]+)")
CODE = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)


def on_page_markdown(markdown, page, config, files):
    folder = posixpath.dirname(f"docs/{page.file.src_uri}")

    def to_repository(link):
        target = link["target"]
        if "://" in target or target.startswith(("mailto:", "/")):
            return link[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        is_page = path.startswith("docs/") and not path.startswith("docs/receivers/")
        return link[0] if is_page else f"]({config['repo_url']}/blob/main/{path}"

    parts = CODE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(to_repository, part) for part in parts)
