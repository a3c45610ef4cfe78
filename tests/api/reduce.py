#!/usr/bin/env python3
"""Makes github.json, sentry.json and github.graphql: what the two official descriptions say of the calls that the program
makes, and nothing else; and github-webhooks.json, the bodies of the deliveries that it gets. README.md says where the
descriptions come from.

    reduce.py api.github.com.json openapi-derefed.json schema.graphql

Needs graphql-core for the last. The files go beside this one. Words, examples and answers are left out; parameters, bodies
and types are as described.
"""
import json
import re
import sys
from pathlib import Path

import graphql

HERE = Path(__file__).parent

GITHUB = {
    "/app": ["get"],
    "/app-manifests/{code}/conversions": ["post"],
    "/app/hook/config": ["get"],
    "/app/hook/deliveries": ["get"],
    "/app/hook/deliveries/{delivery_id}": ["get"],
    "/app/hook/deliveries/{delivery_id}/attempts": ["post"],
    "/app/installations": ["get"],
    "/app/installations/{installation_id}/access_tokens": ["post"],
    "/orgs/{org}": ["get"],
    "/orgs/{org}/hooks": ["get"],
    "/orgs/{org}/hooks/{hook_id}/deliveries": ["get"],
    "/orgs/{org}/hooks/{hook_id}/deliveries/{delivery_id}": ["get"],
    "/orgs/{org}/hooks/{hook_id}/deliveries/{delivery_id}/attempts": ["post"],
    "/orgs/{org}/installation": ["get"],
    "/orgs/{org}/members": ["get"],
    "/orgs/{org}/memberships/{username}": ["get"],
    "/orgs/{org}/teams": ["get"],
    "/orgs/{org}/teams/{team_slug}": ["get"],
    "/orgs/{org}/teams/{team_slug}/members": ["get"],
    "/orgs/{org}/teams/{team_slug}/memberships/{username}": ["get"],
    "/rate_limit": ["get"],
    "/user": ["get"],
    "/user/orgs": ["get"],
    "/user/{account_id}": ["get"],
    "/users/{username}": ["get"],
}

# The repository that some events name is of no use here, and larger than all the rest.
EVENTS = ("membership/", "organization/", "team/", "ping")
UNUSED = "repository"

ORG = "/api/0/organizations/{organization_id_or_slug}/"
TEAM = "/api/0/teams/{organization_id_or_slug}/{team_id_or_slug}/"
SENTRY = {
    ORG: ["get"],
    ORG + "integrations/": ["get"],
    ORG + "members/": ["get", "post"],
    ORG + "members/{member_id}/": ["get"],
    ORG + "members/{member_id}/teams/{team_id_or_slug}/": ["post", "delete"],
    ORG + "scim/v2/Groups": ["get"],
    ORG + "teams/": ["get", "post"],
    TEAM: ["get", "put", "delete"],
    TEAM + "external-teams/": ["post"],
    TEAM + "external-teams/{external_team_id}/": ["put", "delete"],
    TEAM + "members/": ["get"],
    "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/teams/{team_id_or_slug}/": ["post"],
}

# Fields whose type is another object are kept if it is one of these.
TYPES = """Query Node Organization Team User TeamConnection TeamEdge TeamMemberConnection TeamMemberEdge
OrganizationMemberConnection OrganizationMemberEdge OrganizationIdentityProvider ExternalIdentityConnection
ExternalIdentityEdge ExternalIdentity ExternalIdentitySamlAttributes ExternalIdentityScimAttributes UserEmailMetadata
PageInfo RateLimit TeamPrivacy TeamRole TeamMemberRole TeamMembershipType TeamNotificationSetting TeamOrder TeamOrderField
TeamMemberOrder TeamMemberOrderField OrganizationMemberRole OrderDirection""".split()

# The word behind "You can also specify a team by org_id and team_id using the route".
ROUTE = re.compile(r"using the route `(GET|POST|PUT|PATCH|DELETE) (/[^`]*)`")

WORDS = {"description", "example", "examples", "default", "deprecated", "title", "externalDocs", "format"}


def resolved(whole, part):
    while "$ref" in part:
        at = part["$ref"]
        part = whole
        for key in at.removeprefix("#/").split("/"):
            part = part[key]
    return part


def schema(whole, part):
    part = resolved(whole, part)
    kept = {key: value for key, value in part.items() if key not in WORDS}
    if "properties" in kept:
        kept["properties"] = {name: schema(whole, value) for name, value in kept["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = schema(whole, kept[key])
    for key in ("oneOf", "anyOf", "allOf"):
        if key in kept:
            kept[key] = [schema(whole, value) for value in kept[key]]
    return kept


def operation(whole, described):
    kept = {"operationId": described["operationId"]}
    route = ROUTE.search(described.get("description", ""))
    if route:
        kept["x-also"] = route[2]
    kept["parameters"] = []
    for parameter in described.get("parameters", []):
        parameter = resolved(whole, parameter)
        kept["parameters"].append(
            {
                "name": parameter["name"],
                "in": parameter["in"],
                "required": parameter.get("required", False),
                "schema": schema(whole, parameter["schema"]),
            }
        )
    body = described.get("requestBody")
    if body:
        body = resolved(whole, body)
        kinds = {kind: {"schema": schema(whole, one["schema"])} for kind, one in body["content"].items()}
        kept["requestBody"] = {"required": body.get("required", False), "content": kinds}
    return kept


def reduce_api(source, name, calls, note):
    whole = json.loads(Path(source).read_text())
    info = {key: whole["info"][key] for key in ("title", "version", "license")}
    info["x-reduced"] = note
    paths = {
        path: {method: operation(whole, whole["paths"][path][method]) for method in methods}
        for path, methods in calls.items()
    }
    reduced = {"openapi": whole["openapi"], "info": info, "paths": paths}
    (HERE / name).write_text(json.dumps(reduced, indent=1) + "\n")


def without_unused(part):
    if "properties" in part:
        part["properties"] = {
            name: {"type": "object"} if name == UNUSED else without_unused(value)
            for name, value in part["properties"].items()
        }
    return part


def reduce_webhooks(source, name, note):
    whole = json.loads(Path(source).read_text())
    info = {key: whole["info"][key] for key in ("title", "version", "license")}
    info["x-reduced"] = note
    bodies = {}
    for described in (webhook["post"] for webhook in whole["x-webhooks"].values()):
        event = described["operationId"]
        if event.startswith(EVENTS):
            body = described["requestBody"]["content"]["application/json"]["schema"]
            bodies[event] = without_unused(schema(whole, body))
    reduced = {"info": info, "bodies": bodies}
    (HERE / name).write_text(json.dumps(reduced, indent=1) + "\n")


def plain(kind):
    while hasattr(kind, "of_type"):
        kind = kind.of_type
    return kind


def known(kind):
    return graphql.is_scalar_type(plain(kind)) or plain(kind).name in TYPES


def argument(name, arg):
    default = ""
    if arg.default_value is not graphql.Undefined:
        default = " = " + graphql.print_ast(graphql.ast_from_value(arg.default_value, arg.type))
    return f"{name}: {arg.type}{default}"


def lines_of(kind):
    if graphql.is_enum_type(kind):
        return [f"enum {kind.name} {{", *(f"  {name}" for name in kind.values), "}"]
    if graphql.is_input_object_type(kind):
        return [f"input {kind.name} {{", *(f"  {argument(*field)}" for field in kind.fields.items()), "}"]
    interfaces = [one.name for one in kind.interfaces if one.name in TYPES]
    behind = f" implements {' & '.join(interfaces)}" if interfaces else ""
    lines = [f"{'interface' if graphql.is_interface_type(kind) else 'type'} {kind.name}{behind} {{"]
    for name, field in kind.fields.items():
        # What is to be left alone is as good as gone.
        if field.deprecation_reason or not known(field.type):
            continue
        arguments = [argument(*one) for one in field.args.items() if known(one[1].type) and not one[1].deprecation_reason]
        behind = f"({', '.join(arguments)})" if arguments else ""
        lines.append(f"  {name}{behind}: {field.type}")
    return [*lines, "}"]


def reduce_graphql(source, note):
    whole = graphql.build_schema(Path(source).read_text(), assume_valid=True)
    lines = [f"# {note}"]
    for name in TYPES:
        lines += lines_of(whole.type_map[name])
    text = "\n".join(lines) + "\n"
    scalars = set(re.findall(r": \[?(\w+)", text)) - set(TYPES) - {"Int", "Float", "String", "Boolean", "ID"}
    graphql.build_schema(text + "".join(f"scalar {name}\n" for name in sorted(scalars)))
    (HERE / "github.graphql").write_text(text)


if __name__ == "__main__":
    github, sentry, schema_file = sys.argv[1:]
    reduce_api(github, "github.json", GITHUB, "by reduce.py from npm @octokit/openapi 23.0.2, api.github.com.json")
    reduce_webhooks(
        github, "github-webhooks.json", "by reduce.py from npm @octokit/openapi 23.0.2, api.github.com.json"
    )
    reduce_api(
        sentry,
        "sentry.json",
        SENTRY,
        "by reduce.py from getsentry/sentry-api-schema a589a26c (2026-08-16), openapi-derefed.json",
    )
    reduce_graphql(schema_file, "By reduce.py from npm @octokit/graphql-schema (July 2026), schema.graphql; MIT License.")
