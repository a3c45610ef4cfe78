//! What the eras of Sentry differ in, and what its servers do: two tables, each row with where it is known from.
//!
//! Everything else in this folder asks these tables ([`World::rules`](super::world::World), [`Silo::rules`]) and never which
//! era is played: a difference that is not a row here does not exist. 23.7.1 was recorded from a true server; `today` was read
//! in Sentry's published schema (0.272.0 of 2026-08), its source (file and commit) and its pull requests (`#n`). "Code must
//! take either" is why there are only these two: a server in between has some rows of each.

/// Which Sentry is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// 23.7.1, as recorded.
    V23_7_1,
    /// sentry.io and the self-hosted servers of 2025 and 2026.
    Today,
}

/// Both, the older one first.
pub const ERAS: [Era; 2] = [Era::V23_7_1, Era::Today];

/// Which server of a Sentry answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silo {
    /// One server for everything: self-hosted.
    Monolith,
    /// `sentry.io`: it knows tokens and integrations, and passes on what is about an organisation to the region's server.
    Control,
    /// `NAME.sentry.io`: the organisations of one region.
    Region(String),
}

/// One row of the table of differences, in words.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// Its name, the field of the rules.
    pub name: &'static str,
    /// What differs.
    pub what: &'static str,
    /// What 23.7.1 does.
    pub observed: &'static str,
    /// What today's servers do.
    pub today: &'static str,
    /// Where today's side is known from.
    pub source: &'static str,
}

macro_rules! differences {
    ($($name:ident: $kind:ty = $observed:expr => $today:expr, $what:literal, $source:literal;)*) => {
        /// What an era does: a field for each difference.
        #[derive(Debug)]
        pub(crate) struct Rules {
            $(#[doc = $what] pub $name: $kind,)*
        }

        const OBSERVED: Rules = Rules { $($name: $observed,)* };
        const TODAY: Rules = Rules { $($name: $today,)* };

        /// The table, to be read and to be tested row by row.
        pub const DIFFERENCES: &[Difference] = &[$(Difference {
            name: stringify!($name),
            what: $what,
            observed: stringify!($observed),
            today: stringify!($today),
            source: $source,
        },)*];
    };
}

differences! {
    // People.
    addresses_told: bool = true => false,
        "whether `user.emails` of somebody else has their addresses; else it is empty", "#83556, #108287";
    identities_told: bool = false => true,
        "whether a user has the key `identities`, empty for everybody but the caller", "#108287";
    suspension_told: bool = false => true,
        "whether a user has `isSuspended`", "#114349";
    deprecated_keys_listed: bool = true => false,
        "whether listings of members have `role`, `roleName` and `groupOrgRoles` beside `orgRole`", "schema";
    partnership_told: bool = false => true,
        "whether a member's flags have `partnership:restricted`", "schema";
    bad_number_is_an_error: bool = true => false,
        "whether `query=id:x` is a 500; else it finds nobody",
        "core/endpoints/organization_member_index.py 0c951a0b";
    proxy_address: bool = false => true,
        "whether an integration's own user has an address, `ID@proxy-user.sentry.io`; else it is empty",
        "sentry_apps/logic.py; seen in `GET /api/0/`";
    billing_forbids_teams: bool = false => true,
        "whether nobody of the role `billing` can be put into a team, not even again",
        "core/endpoints/organization_member_team_details.py 05c8a60e";

    // Invites and changes of members.
    integrations_invite: bool = false => true,
        "whether an integration with member:write may invite, with no role but `member`", "#61548";
    org_role_counts: bool = false => true,
        "whether an invite's `orgRole` is heeded before its `role`",
        "core/endpoints/organization_member_index.py 0c951a0b";
    invited_is_told_apart: bool = false => true,
        "whether a second invite is refused as `has already been invited`; else as `is already a member`",
        "core/endpoints/organization_member_index.py 0c951a0b";
    change_without_teams_wipes: bool = false => true,
        "whether PUT of a member without `teams` and `teamRoles` takes all teams from them",
        "core/endpoints/organization_member_details.py 08004c03";
    reinvite_stands_alone: bool = false => true,
        "whether `reinvite` is refused beside other changes, and else changes nothing",
        "core/endpoints/organization_member_details.py 08004c03";
    faults_of_a_change_told: bool = false => true,
        "whether a bad PUT of a member says what is wrong; else it is an empty 400",
        "core/endpoints/organization_member_details.py 08004c03";

    // Permissions.
    missing_scope_named: bool = false => true,
        "whether the 403 for a missing scope names the ones of which one suffices, in `WWW-Authenticate`", "#118612";
    scopes_to_leave: &'static [&'static str] =
        &["org:read", "org:write", "org:admin", "team:write"] => &["org:read", "org:write", "org:admin", "team:admin"],
        "the scopes of which one is needed to take somebody out of a team; what can be done with it is looked at later",
        "core/endpoints/organization_member_team_details.py 05c8a60e";
    scopes_to_see_membership: &'static [&'static str] =
        &["org:read", "org:write", "member:read", "member:write", "member:admin"]
        => &["org:read", "org:write", "org:admin", "member:read", "member:write", "member:admin"],
        "the scopes of which one is needed to read a membership",
        "core/endpoints/organization_member_team_details.py 05c8a60e";
    scopes_for_team_role: &'static [&'static str] =
        &["org:read", "org:write", "member:read", "member:write", "member:admin"]
        => &["org:read", "org:write", "org:admin", "member:read", "member:write", "member:admin", "team:admin", "team:write"],
        "the scopes of which one is needed to set a role on a team",
        "core/endpoints/organization_member_team_details.py 05c8a60e";
    member_write_manages_teams: bool = false => true,
        "whether member:write is as good as team:write when it is asked who may change who is in a team",
        "core/endpoints/organization_member_utils.py 05c8a60e";
    org_write_manages_all_teams: bool = true => false,
        "whether a person's org:write reaches teams that they are not in",
        "core/endpoints/organization_member_utils.py 05c8a60e";
    integrations_set_team_roles: bool = false => true,
        "whether an integration that may manage a team may set roles on it",
        "core/endpoints/organization_member_utils.py 05c8a60e";

    // Teams.
    ids_in_urls: bool = false => true,
        "whether a number in place of an organisation's or team's slug is an id, and never a slug",
        "db/models/fields/slug.py 015efc86";
    pending_answers_by_id: bool = false => true,
        "whether a team whose deletion is pending is still found by its id, under its new slug", "api/bases/team.py";
    numeric_slugs: bool = true => false,
        "whether a slug may be all digits", "schema; sentry/slug/patterns.py 91208374";
    managed_teams_change: bool = true => false,
        "whether a team that an identity provider manages can be renamed and deleted",
        "core/endpoints/team_details.py 08188271";
    teams_have_org_role: bool = true => false,
        "whether a team has `orgRole`", "schema";

    // Limits.
    limit_told_as_object: bool = false => true,
        "whether a 429 is `{\"detail\": …}`; else a bare string", "middleware/ratelimit.py";
    crowd_told_apart: bool = false => true,
        "whether a 429 for too many calls at once says so; else it has the words of the window", "middleware/ratelimit.py";
    unknown_rest_is_a_word: bool = true => false,
        "whether `ConcurrentRemaining` of a 429 for a window that is used up is the word None; else it is left out",
        "middleware/ratelimit.py";
    at_once: Option<u64> = None => Some(25),
        "how many calls at once are let through where limits are announced and no other number is set",
        "sentry.io's default";
    members_a_second: Option<u64> = None => Some(40),
        "how many calls of the members' listing a second, counted apart",
        "core/endpoints/organization_member_index.py 0c951a0b";

    // External teams and integrations.
    external_name_is_taken_once: bool = false => true,
        "whether POST of an external team answers with the row that has the name already, also where it is another team's",
        "integrations/api/bases/external_actor.py 0877cce7";
    external_providers: &'static [&'static str] =
        &["github", "gitlab", "slack", "msteams", "custom_scm"]
        => &["github", "github_enterprise", "gitlab", "slack", "msteams", "custom_scm"],
        "the providers of external teams", "integrations/api/bases/external_actor.py 0877cce7";
    integration_filters: &'static [&'static str] = &["provider_key"] => &["providerKey", "provider_key"],
        "the query parameters that choose a provider; another one is ignored",
        "integrations/api/endpoints/organization_integrations_index.py";

    // SCIM.
    scim_most_people: usize = 10_990 => 10_000,
        "of how many different people the groups of one page tell, without a word of the others; steps of 1,000 that overlap \
         by one end 23.7.1 late",
        "api/serializers/models/team.py and utils/query.py of both";
    scim_most_groups: Option<usize> = None => Some(100),
        "how many groups a page has at the most, whatever `count` says", "schema";
    scim_groups_by_slug: bool = false => true,
        "whether a single group is found by the team's slug too", "schema";
}

impl Era {
    /// What this era does.
    pub(crate) fn rules(self) -> &'static Rules {
        match self {
            Era::V23_7_1 => &OBSERVED,
            Era::Today => &TODAY,
        }
    }

    /// The server that is asked unless a test says otherwise: 23.7.1 was installed by its users, today's are at sentry.io.
    pub fn usual_silo(self) -> Silo {
        match self {
            Era::V23_7_1 => Silo::Monolith,
            Era::Today => Silo::Control,
        }
    }
}

/// What one kind of server does. Not of an era: 23.7.1 was played as [`Silo::Monolith`] only.
#[derive(Debug)]
pub(crate) struct SiloRules {
    /// Whether `GET /api/0/` is answered; else it is a 404 without a body, whoever asks. #58338
    pub index: bool,
    /// Whether the integrations of an organisation are listed; else as above. A control-silo endpoint in today's source.
    pub integrations: bool,
    /// Whether an organisation that is not here is a 404 without a body before the token is looked at; else it is one of the
    /// API's own 404s, after it. The API gateway's answer: hybridcloud/apigateway/proxy.py
    pub gateway: bool,
    /// Whether answers about an organisation name the region's own address, in `X-Sentry-Proxy-URL`. As above.
    pub names_region: bool,
    /// Whether there are rate limits from the start. A self-hosted server has none: middleware/ratelimit.py
    pub limits: bool,
}

impl Silo {
    pub(crate) fn rules(&self) -> &'static SiloRules {
        const MONOLITH: SiloRules =
            SiloRules { index: true, integrations: true, gateway: false, names_region: false, limits: false };
        const CONTROL: SiloRules =
            SiloRules { index: true, integrations: true, gateway: true, names_region: true, limits: true };
        const REGION: SiloRules =
            SiloRules { index: false, integrations: false, gateway: true, names_region: false, limits: true };
        match self {
            Silo::Monolith => &MONOLITH,
            Silo::Control => &CONTROL,
            Silo::Region(_) => &REGION,
        }
    }
}
