"""Hands inside a true Sentry, for tests: what an administrator, a person or the cron job would do.

Reads one JSON object a line, `{"do": NAME, ...}`, and answers each with a line `{"ok": ...}` or `{"error": ...}`.
Every test makes an organization of its own, so nothing ever has to be set back.
"""
import json
import os
import sys
import traceback
from datetime import timedelta

# Whatever Sentry prints must not get between the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

from sentry.runner import configure

configure()

from django.utils import timezone

from sentry.models import (
    ApiToken,
    AuthProvider,
    ExternalActor,
    Integration,
    InviteStatus,
    Organization,
    OrganizationMember,
    OrganizationMemberTeam,
    Project,
    SentryApp,
    SentryAppInstallationToken,
    Team,
    User,
    UserEmail,
)
from sentry.models.actor import get_actor_id_for_user
from sentry.models.team import TeamStatus
from sentry.sentry_apps.apps import SentryAppCreator
from sentry.tasks.deletion.scheduled import run_scheduled_deletions
from sentry.tasks.deliver_from_outbox import enqueue_outbox_jobs
from sentry.types.integrations import ExternalProviders


def organization(slug):
    return Organization.objects.get(slug=slug)


def new_user(org, email, name, username=None):
    # User names are unique in the whole server and outlive a membership; addresses are not and do not.
    username = "%s/%d/%s" % (org.slug, User.objects.count(), username or email)
    return User.objects.create(username=username, email=email, name=name)


def set_addresses(user, verified, more):
    if user.email:
        UserEmail.objects.update_or_create(user=user, email=user.email, defaults={"is_verified": verified})
    for address, is_verified in more:
        UserEmail.objects.update_or_create(user=user, email=address, defaults={"is_verified": is_verified})


def do_organization(slug):
    org = Organization.objects.create(slug=slug, name=slug)
    owner = new_user(org, "owner@%s.test" % slug, "Owner")
    OrganizationMember.objects.create(organization=org, user_id=owner.id, role="owner")
    return org.id


def do_member(org, email, name, username, role, verified, more, joined, expired, active, status, github):
    org = organization(org)
    if not joined:
        row = OrganizationMember(organization=org, email=email, role=role, invite_status=InviteStatus[status].value)
        row.token = row.generate_token()
        row.token_expires_at = timezone.now() + timedelta(days=-1 if expired else 30)
        row.save()
        return row.id
    user = new_user(org, email, name, username)
    set_addresses(user, verified, more)
    row = OrganizationMember.objects.create(organization=org, user_id=user.id, role=role)
    for login, external_id in github:
        link(org, user, login, external_id)
    if not active:
        user.is_active = False
        user.save()
        deliver()
    return row.id


def integration(org, domain="github.com/acme"):
    row = Integration.objects.filter(provider="github", external_id=str(org.id)).first()
    if row is None:
        metadata = {"domain_name": domain}
        row = Integration.objects.create(
            provider="github", external_id=str(org.id), name=org.slug, metadata=metadata
        )
        row.add_organization(org)
    return row


def do_integration(org, domain):
    return integration(organization(org), domain).id


def do_link_team(team, name):
    team = Team.objects.get(id=team)
    ExternalActor.objects.create(
        organization=team.organization,
        integration_id=integration(team.organization).id,
        provider=ExternalProviders.GITHUB.value,
        external_name=name,
        actor_id=team.actor_id,
    )


def do_external_teams(team):
    rows = ExternalActor.objects.filter(actor_id=Team.objects.get(id=team).actor_id)
    return sorted(row.external_name for row in rows)


def link(org, user, login, external_id):
    ExternalActor.objects.create(
        organization=org,
        integration_id=integration(org).id,
        provider=ExternalProviders.GITHUB.value,
        external_name=login,
        external_id=external_id,
        actor_id=get_actor_id_for_user(user),
    )


def do_crowd(org, team, n):
    """So many people at once, all in one team."""
    org, team = organization(org), Team.objects.get(id=team)
    for i in range(n):
        email = "crowd%03d@acme.test" % i
        user = new_user(org, email, "Crowd %03d" % i)
        set_addresses(user, True, [])
        row = OrganizationMember.objects.create(organization=org, user_id=user.id)
        OrganizationMemberTeam.objects.create(team=team, organizationmember=row)


def do_accept(member, email):
    row = OrganizationMember.objects.get(id=member)
    user = new_user(row.organization, email, email)
    set_addresses(user, True, [])
    row.set_user(user.id)
    row.save()


def do_remove_member(member):
    OrganizationMember.objects.get(id=member).delete()
    deliver()


def do_token(org, scopes):
    org = organization(org)
    owner = User.objects.get(id=org.get_default_owner().id)
    app = SentryAppCreator(
        name="%s %d" % (org.slug, ApiToken.objects.count()),
        author="tests",
        organization_id=org.id,
        is_internal=True,
        verify_install=False,
        scopes=scopes,
    ).run(user=owner)
    return SentryAppInstallationToken.objects.get(sentry_app_installation__sentry_app=app).api_token.token


def do_scopes(token, scopes):
    """As the form of an integration's permissions does: some checks read the integration's, others the token's."""
    row = ApiToken.objects.get(token=token)
    app = SentryApp.objects.get(application=row.application)
    app.scope_list = row.scope_list = scopes
    app.save()
    row.save()


def do_revoke(token):
    ApiToken.objects.get(token=token).delete()


def do_team(org, slug, name):
    return Team.objects.create(organization=organization(org), slug=slug, name=name).id


def do_rename_team(team, slug, name):
    row = Team.objects.get(id=team)
    row.slug, row.name = slug, name
    row.save()


def do_join(team, member):
    OrganizationMemberTeam.objects.get_or_create(team_id=team, organizationmember_id=member)


def do_project(team, slug):
    team = Team.objects.get(id=team)
    project = Project.objects.create(organization=team.organization, slug=slug, name=slug)
    project.add_team(team)


def do_project_teams(org, slug):
    project = Project.objects.get(organization=organization(org), slug=slug)
    return sorted(team.slug for team in project.teams.all())


def do_idp(team, on):
    row = Team.objects.get(id=team)
    row.idp_provisioned = on
    row.save()


def do_scim(org, on):
    """Whether an identity provider has SCIM switched on."""
    org = organization(org)
    row = AuthProvider.objects.filter(organization_id=org.id).first()
    row = row or AuthProvider(organization_id=org.id, provider="okta")
    row.flags.scim_enabled = on
    row.save()


def do_open_membership(org, on):
    row = organization(org)
    row.flags.allow_joinleave = on
    row.save()


def do_teams(org):
    """All teams but those that are being deleted: slug, id, name, addresses as the members' list shows them."""
    teams = {}
    for team in Team.objects.filter(organization=organization(org), status=TeamStatus.ACTIVE):
        rows = OrganizationMember.objects.filter(teams=team, invite_status=InviteStatus.APPROVED.value)
        users = {user.id: user for user in User.objects.filter(id__in=[row.user_id for row in rows if row.user_id])}
        members = sorted(users[row.user_id].email if row.user_id else row.email for row in rows)
        teams[team.slug] = {"id": team.id, "name": team.name, "members": members}
    return teams


def do_pending(org):
    waiting = Team.objects.filter(organization=organization(org)).exclude(status=TeamStatus.ACTIVE)
    return sorted(team.slug for team in waiting)


def deliver():
    """What cron does with changes that other parts of Sentry have to hear of."""
    for _ in range(100):
        if not enqueue_outbox_jobs():
            break


def do_tick():
    deliver()
    run_scheduled_deletions()


for line in sys.stdin:
    try:
        request = json.loads(line)
        answer = {"ok": globals()["do_" + request.pop("do")](**request)}
    except Exception as error:
        traceback.print_exc()
        answer = {"error": "%s: %s" % (type(error).__name__, error)}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
