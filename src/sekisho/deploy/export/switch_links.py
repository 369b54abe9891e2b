"""Links for the console's Switch Role page (H-02), and the configuration of the browser extension AWS Extend Switch Roles: one of each a user."""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode

from sekisho.deploy.export.reachable import reachable
from sekisho.environment import Environment
from sekisho.estate import Estate, Role

PALETTE = ("F2B0A9", "FBBF93", "FAD791", "B7CA9D", "99BCE3")
"""The console's classic colours (H-04, unverified); one an account, in turn."""
MOST_NAME = 64
"""Characters of a display name (H-04)."""


def switch_links(estate: Estate, environment: Environment) -> dict[str, str]:
    """File name → text: ``<user>.html`` with a link a role, ``<user>.ini`` for the extension. Only roles that the user can reach."""
    jump = estate.account(environment.jump)
    # The extension asks for the alias where there is one: that is what the console shows as the account.
    base = jump.alias if jump and jump.alias else environment.jump
    labels = {a.id: label for label, a in environment.wanted.accounts.items()}
    colours = {account: PALETTE[i % len(PALETTE)] for i, account in enumerate(labels)}
    files: dict[str, str] = {}
    for user, roles in reachable(estate, environment).items():
        rows, ini = [], ["; AWS Extend Switch Roles: Configure, paste, save", "[jump]", f"aws_account_id = {base}", ""]
        for role in roles:
            account = role.arn.split(":")[4]
            label = labels.get(account, account)
            colour = colours.get(account, "AAAAAA")
            name = f"{label}/{role.name}"[:MOST_NAME]
            ini += [f"[{label}-{role.name}]", f"role_arn = {role.arn}", "source_profile = jump", f"color = {colour.lower()}", ""]
            rows.append(_row(role, account, label, name, colour))
        files[f"{user}.html"] = _page(user, base, rows)
        files[f"{user}.ini"] = "\n".join(ini)
    return files


def switch_link(role: Role, display_name: str) -> str:
    """The link that opens the Switch Role page filled in (H-02)."""
    account, resource = role.arn.split(":")[4], role.arn.split(":", 5)[5]
    query = {"account": account, "roleName": resource.removeprefix("role/"), "displayName": display_name}
    return "https://signin.aws.amazon.com/switchrole?" + urlencode(query)


def _row(role: Role, account: str, label: str, name: str, colour: str) -> str:
    link = escape(switch_link(role, name), quote=True)
    return f'<li style="border-left: 1em solid #{colour}; padding-left: .5em"><a href="{link}">{escape(name)}</a> <small>{account}</small></li>'


def _page(user: str, base: str, rows: list[str]) -> str:
    listed = "\n".join(rows) if rows else "<li>no role can be reached</li>"
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Roles of {escape(user)}</title></head>
<body>
<h1>Roles of {escape(user)}</h1>
<p>Sign in first: <a href="https://{escape(base)}.signin.aws.amazon.com/console">{escape(base)}</a></p>
<ul style="list-style: none; line-height: 2">
{listed}
</ul>
</body>
</html>
"""
