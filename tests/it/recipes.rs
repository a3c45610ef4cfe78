//! The documents' recipes, pasted one after the other as they are written, from a clone to the removal: on a machine below
//! a folder, whose `sudo` and `systemctl` are stand-ins in `recipes/`, between pretend GitHub and pretend Sentry.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::standin::http::Response;
use crate::standin::{mirror_permissions, Delivery, GithubApp, GithubToken, GithubUser, Sender};
use crate::tidy::root;
use crate::world::{bounds, unused_port, TempDir, Truth, World, BOTH, PATIENCE, SECRET};

/// A block of commands, and the heading it stands under.
struct Recipe {
    section: String,
    text: String,
}

/// All blocks of commands in a document, in their order.
fn recipes(document: &str) -> Vec<Recipe> {
    let mut recipes: Vec<Recipe> = Vec::new();
    let (mut section, mut inside) = (String::new(), false);
    for line in document.lines() {
        match line.trim() {
            "```sh" => {
                inside = true;
                recipes.push(Recipe { section: section.clone(), text: String::new() });
            }
            "```" => inside = false,
            text if inside => recipes.last_mut().unwrap().text.push_str(&format!("{text}\n")),
            text if text.starts_with("##") => section = text.trim_start_matches(['#', ' ']).into(),
            _ => {}
        }
    }
    recipes
}

/// A machine below a folder.
struct Machine {
    root: TempDir,
    env: BTreeMap<String, String>,
    /// What the documents write, and what it is here.
    means: Vec<(String, String)>,
    port: u16,
    admin_port: u16,
}

impl Machine {
    fn new(world: &World) -> Self {
        let root = TempDir::new("machine");
        let path = root.0.display().to_string();
        for folder in ["bin", "home", "root", "run", "paste", "etc/systemd/system", "etc/nginx/conf.d"] {
            fs::create_dir_all(root.0.join(folder)).unwrap();
        }
        for folder in ["etc/caddy", "usr/local/bin", "var/lib", "clone/.ci"] {
            fs::create_dir_all(root.0.join(folder)).unwrap();
        }
        for name in ["sudo", "systemctl"] {
            let from = crate::tidy::root().join("tests/it/recipes").join(name);
            fs::copy(from, root.0.join("bin").join(name)).unwrap();
        }
        let from = crate::tidy::root().join("tests/it/recipes/build-static");
        fs::copy(from, root.0.join("clone/.ci/build-static")).unwrap();
        let units = crate::tidy::root().join("systemd");
        std::os::unix::fs::symlink(units, root.0.join("clone/systemd")).unwrap();
        let (port, admin_port) = (unused_port(), unused_port());
        let system = std::env::var("PATH").unwrap();
        let env = [
            ("PATH", format!("{path}/bin:{path}/usr/local/bin:{system}")),
            ("HOME", format!("{path}/home")),
            ("ROOT", path.clone()),
            ("PORT", port.to_string()),
            ("ADMIN_PORT", admin_port.to_string()),
            ("PROGRAM", World::program().display().to_string()),
            ("GH_API_URL", world.github.url()),
            ("SENTRY_URL", world.sentry.url()),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        let mut means = vec![
            ("check --url https://hooks.example.com".into(), format!("check --url http://127.0.0.1:{port}")),
            ("'{}' https://hooks.example.com".into(), format!("'{{}}' http://127.0.0.1:{port}")),
            // The address of the page after the button, which a person pastes.
            ("--code -\n".into(), "--code - <<<abc\n".into()),
            ("http://127.0.0.1:8081".into(), format!("http://127.0.0.1:{admin_port}")),
        ];
        // What a person pastes: the name of the file says what.
        for (sudo, place) in
            [("", "~/"), ("sudo ", "/etc/sentry-team-sync/acme/"), ("sudo ", "/etc/sentry-team-sync/")]
        {
            for name in ["gh_token", "sentry_token", "gh_webhook_token"] {
                let written = format!("\n{sudo}install -m 0600 /dev/stdin {place}{name}\n");
                let here = written.replace("/dev/stdin", &format!("{path}/paste/{name}"));
                means.push((written, here));
            }
        }
        for folder in ["/etc/", "/var/", "/usr/local/", "/run/"] {
            means.push((format!(" {folder}"), format!(" {path}{folder}")));
            means.push((format!("={folder}"), format!("={path}{folder}")));
        }
        let machine = Self { root, env, means, port, admin_port };
        machine.paste_later("gh_token", &world.github_token);
        machine.paste_later("sentry_token", &world.sentry_token);
        machine.paste_later("gh_webhook_token", SECRET);
        machine
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.0.join(below)
    }

    /// What a person pastes where the documents ask for it.
    fn paste_later(&self, name: &str, value: &str) {
        fs::write(self.path("paste").join(name), format!("{value}\n")).unwrap();
    }

    /// Another word for what a document names as an example.
    fn mean(&mut self, written: &str, here: &str) {
        self.means.insert(0, (written.into(), here.into()));
    }

    /// Runs a block in one shell, in the clone; exit code of its last command, and all that was said.
    fn run(&self, recipe: &str) -> (i32, String) {
        let script = self
            .means
            .iter()
            .fold(format!("\n{recipe}"), |text, (written, here)| text.replace(written, here));
        // What is exported stays, as in the one terminal of whoever reads; and no command fails but the last.
        let kept = self.path("exported").display().to_string();
        let script = format!(
            "test ! -f {kept} || . {kept}\nfailed=0\ntrap 'failed=$((failed + 1))' ERR\n{script}code=$?\ntrap - ERR\n\
             export -p >{kept}\ntest $failed -le 1 -a $failed -le $code || exit 99\nexit $code\n"
        );
        let mut shell = Command::new("bash");
        shell.args(["-u", "-o", "pipefail", "-c", &script]).env_clear().envs(&self.env);
        let output =
            bounds::output(shell.current_dir(self.path("clone")).stdin(Stdio::null())).expect("a shell");
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat();
        (output.status.code().unwrap_or(-1), said)
    }

    /// `/status.json` of the service.
    fn status(&self) -> Value {
        let (_, body) = crate::world::get(&format!("http://127.0.0.1:{}/status.json", self.admin_port));
        serde_json::from_str(&body).expect("JSON")
    }

    fn wait_until(&self, world: &World, what: &str, is_so: impl Fn(&Value) -> bool) {
        world.wait_until(what, || is_so(&self.status()));
    }

    /// The name of the only hold.
    fn only_hold(&self, world: &World) -> String {
        self.wait_until(world, "one hold", |status| status["held"] == 1);
        self.status()["holds"][0]["name"].as_str().unwrap().into()
    }

    /// Sends deliveries, and waits until they are dealt with.
    fn send(&self, world: &World, deliveries: &[Delivery]) {
        deliveries.iter().for_each(|delivery| self.deliver(world, delivery));
        self.wait_until(world, "all is dealt with", |status| status["queued"] == 0);
    }

    /// Sends a delivery, and has GitHub remember that it was answered.
    fn deliver(&self, world: &World, delivery: &Delivery) {
        let secret = fs::read_to_string(self.path("etc/sentry-team-sync/gh_webhook_token")).unwrap();
        let url = format!("http://127.0.0.1:{}/github", self.port);
        let mut sender = Sender::new(&url, secret.trim()).patience(PATIENCE);
        assert!(sender.send(delivery).expect("an answer").status < 300);
        world.github.log_delivery(delivery, Some(&Response::new(202, "application/json", "{}")));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.path("run")).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "pid") {
                let pid = fs::read_to_string(entry.path()).unwrap_or_default();
                let _ = Command::new("kill").args(["-KILL", pid.trim()]).status();
            }
        }
    }
}

/// Blocks that `.ci/run` runs by itself.
const RUN_BY_CI: [(&str, &str); 2] = [
    ("cargo run --release --example demo\n", "cargo run --locked --release --example demo"),
    ("cargo test\n", "cargo test --locked\n"),
];

/// The organisation as it is before anybody has heard of the service: GitHub's team `crew` is in Sentry too, and somebody
/// whom Sentry doesn't know is in it.
fn organisation() -> (World, u64) {
    let mut world = World::new(Truth::Github).may_list_teams();
    world.github_token = world.github.add_token(GithubToken::members_read(world.olive).webhooks());
    let crew = world.old_team("Crew");
    world.sentry.add_team("crew", "Crew");
    let ana = world.person("ana");
    let zoe = world.github.add_person(GithubUser::new("zoe"));
    world.github.join(crew, ana);
    world.github.join(crew, zoe);
    (world, crew)
}

/// What has to be so before a block, and what it is called here.
fn prepare(world: &World, machine: &mut Machine, crew: u64, recipe: &Recipe) {
    let text = recipe.text.as_str();
    if text == "sudo sentry-team-sync status\n" {
        machine.only_hold(world);
    } else if text.contains("approve 35a5c279") {
        let hold = machine.only_hold(world);
        machine.mean("35a5c279", &hold);
    } else if text.contains("reject c446ea34") {
        let (other, created) = world.github.create_team("Other", world.olive);
        machine.send(world, &created);
        world.sentry.add_project(world.sentry.teams()["other"].id, "checkout");
        machine.send(world, &world.github.delete_team(other));
        let hold = machine.only_hold(world);
        machine.mean("c446ea34", &hold);
    } else if text.contains("undo 6") {
        let (old, created) = world.github.create_team("Old", world.olive);
        machine.send(world, &created);
        let id = world.sentry.teams()["old"].id;
        machine.send(world, &world.github.delete_team(old));
        machine.mean("undo 6", &format!("undo {id}"));
    } else if text.starts_with("sudo install -m 0600 /dev/stdin") && recipe.section.starts_with("Rotate") {
        let token = world.sentry.add_token(mirror_permissions());
        machine.paste_later("sentry_token", &token);
        world.sentry.revoke(&world.sentry_token);
    } else if text.contains("--code -") {
        let made = GithubApp { manifest_owner: Some("acme".into()), ..GithubApp::default() };
        world.github.set_app(made);
    } else if text.starts_with("sudo sentry-team-sync status --state-dir") {
        world.wait_until("the instance's hold", || machine.run(text).0 == 2);
    } else if text.contains("@acme.service") {
        let (code, said) = machine.run("sudo systemctl stop sentry-team-sync.service\n");
        assert_eq!(code, 0, "{said}");
    } else if text.contains("explain crew") {
        let ben = world.person("ben");
        machine.send(world, &world.github.add_member(crew, ben));
    }
}

/// The exit code that a block ends with; most end well.
fn expected_code(recipe: &Recipe) -> i32 {
    match recipe.text.as_str() {
        // Without the webhook's secret, a service could not start yet.
        "sentry-team-sync check\n" => 64,
        // There are differences.
        "sentry-team-sync sync\n" | "sudo sentry-team-sync sync\n" => 2,
        // The first comparison is on hold.
        text if text.starts_with("sudo sentry-team-sync status") => 2,
        _ => 0,
    }
}

/// What has to be so after a block.
fn check(world: &World, machine: &Machine, recipe: &Recipe, said: &str) {
    let text = recipe.text.as_str();
    let has = |part: &str| assert!(said.contains(part), "{text}\n{said}");
    match text.lines().last().unwrap() {
        "sentry-team-sync sync" => has("crew"),
        "sentry-team-sync whois zoe" => has("zoe"),
        line if line.starts_with("sudo sentry-team-sync check --url") => has("pong"),
        line if line.starts_with("sudo sentry-team-sync approve") => {
            machine.wait_until(world, "decided", |status| status["held"] == 0);
            world.wait_for_members("crew", &["ana"]);
        }
        line if line.starts_with("sudo sentry-team-sync undo 6") => has("old"),
        line if line.contains("grep ^sync_signed_total") => has("sync_signed_total{secret=\"previous\"}"),
        line if line.starts_with("curl -s -X POST") => has("the signature in X-Hub-Signature-256"),
        _ => {}
    }
    if recipe.section == "Upgrade" || recipe.section.starts_with("Back up") && text.contains("start") {
        machine.wait_until(world, "nothing was forgotten", |status| status["teams"].as_u64() >= Some(1));
    }
}

/// Runs all recipes of a document; where somebody goes back up in it, the order is theirs.
fn paste_all(world: &World, machine: &mut Machine, crew: u64, recipes: &[Recipe]) {
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    for recipe in recipes {
        if let Some((_, command)) = RUN_BY_CI.iter().find(|(text, _)| *text == recipe.text) {
            assert!(ci.contains(command), "{command}");
            continue;
        }
        prepare(world, machine, crew, recipe);
        let (code, said) = machine.run(&recipe.text);
        let journal = || fs::read_to_string(machine.path("journal")).unwrap_or_default();
        assert_eq!(code, expected_code(recipe), "{}\n{}{said}\n{}", recipe.section, recipe.text, journal());
        check(world, machine, recipe, &said);
    }
}

/// The recipes of the README that put a service there, up to the one that asks it.
fn installation() -> Vec<Recipe> {
    let begin = |recipe: &Recipe| recipe.text.starts_with(".ci/build-static");
    let end = |recipe: &Recipe| recipe.text.starts_with("sudo sentry-team-sync status");
    document("README.md")
        .into_iter()
        .skip_while(|recipe| !begin(recipe))
        .take_while(|recipe| !end(recipe))
        .collect()
}

fn document(name: &str) -> Vec<Recipe> {
    recipes(&fs::read_to_string(root().join(name)).unwrap())
}

/// Where something of the program or of its state lies.
fn left_over(machine: &Machine) -> Vec<String> {
    let folders = ["usr/local/bin", "etc", "etc/systemd/system", "var/lib", "var/lib/private"];
    let names =
        |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let all = folders.iter().flat_map(|folder| names(&machine.path(folder)));
    all.filter_map(|name| name.into_string().ok()).filter(|name| name.contains("sentry-team-sync")).collect()
}

const SWITCH: &str = "Replace the Flask handler";

#[test]
fn the_readme_works_from_the_clone_to_the_removal() {
    let (world, crew) = organisation();
    let mut machine = Machine::new(&world);
    let recipes = document("README.md").into_iter().filter(|recipe| recipe.section != SWITCH);
    // What watches the service is tried before it is removed.
    let (removal, recipes): (Vec<_>, Vec<_>) = recipes.partition(|recipe| recipe.section == "Remove it");
    paste_all(&world, &mut machine, crew, &recipes);
    paste_all(&world, &mut machine, crew, &removal);
    assert_eq!(left_over(&machine), [""; 0]);
    assert!(world.sentry.teams().contains_key("crew"), "the teams stay");
}

#[test]
fn the_pages_on_systemd_and_completions_work_beside_an_installed_service() {
    let (world, crew) = organisation();
    let mut machine = Machine::new(&world);
    paste_all(&world, &mut machine, crew, &installation());
    paste_all(&world, &mut machine, crew, &document("systemd/README.md"));
    paste_all(&world, &mut machine, crew, &document("REFERENCE.md"));
    let app = fs::read_to_string(machine.path("etc/sentry-team-sync/environment")).unwrap();
    assert!(app.contains("GH_APP_ID=424242\n"), "{app}");
    let state = machine.path("var/lib/private/sentry-team-sync-acme/journal");
    assert!(state.is_dir(), "the instance has its own state");
    let page = fs::read_to_string(machine.path("usr/local/share/man/man1/sentry-team-sync.1")).unwrap();
    assert!(page.starts_with(".TH"), "{page}");
}

/// What the original handler did with a team and its people, when it saw their events.
fn handled(world: &World, slug: &str, name: &str, addresses: &[&str]) -> u64 {
    let team = world.sentry.add_team(slug, name);
    for address in addresses {
        assert!(world.sentry.join(team, world.sentry.member_id(address).unwrap()));
    }
    team
}

/// Who is in each team of Sentry.
fn teams_with_people(world: &World) -> BTreeMap<String, (u64, Vec<String>)> {
    let teams = world.sentry.teams();
    let people = |slug: &str| world.members(slug).unwrap_or_default();
    teams.iter().map(|(slug, team)| (slug.clone(), (team.id, people(slug)))).collect()
}

/// The README's recipes up to the start of a service, without the webhook's new secret.
fn steps_one_and_two() -> Vec<Recipe> {
    let recipes = installation().into_iter().take_while(|recipe| !recipe.text.contains("systemctl enable"));
    let is_needed = |text: &str| {
        text.starts_with(".ci/build-static")
            || text.contains("/etc/systemd/system")
            || text.contains("/dev/stdin /etc")
    };
    recipes.filter(|recipe| is_needed(&recipe.text) && !recipe.text.contains("openssl")).collect()
}

#[test]
fn the_switch_from_the_flask_handler_loses_no_delivery_and_changes_no_team_unasked() {
    for truth in BOTH {
        let mut world = World::new(truth);
        world.github_token = world.github.add_token(match truth {
            Truth::Deliveries => GithubToken::no_permission(world.olive).webhooks(),
            Truth::Github => GithubToken::members_read(world.olive).webhooks(),
        });
        let (ana, ben) = (world.person("ana"), world.person("ben"));
        let crew = world.old_team("Crew");
        world.github.join(crew, ana);
        let made = handled(&world, "crew", "Crew", &["ana@acme.test", "ben@acme.test"]);
        handled(&world, "orphan", "Orphan", &["ben@acme.test"]);
        let before = teams_with_people(&world);
        let mut machine = Machine::new(&world);
        paste_all(&world, &mut machine, crew, &steps_one_and_two());

        let switch: Vec<_> =
            document("README.md").into_iter().filter(|recipe| recipe.section == SWITCH).collect();
        let [secret, start, resume, replay] = &switch[..] else { panic!("{} recipes", switch.len()) };
        paste_all(&world, &mut machine, crew, std::slice::from_ref(secret));
        let (code, said) = machine.run(&start.text);
        // In payload mode nothing can be compared; in read mode there is something to adopt.
        assert_eq!(code, if truth == Truth::Github { 2 } else { 1 }, "{said}");

        // The handler has stopped, and nobody answers: GitHub notes two failures.
        let missed = [world.github.add_member(crew, ben), world.github.remove_member(crew, ben)].concat();
        missed.iter().for_each(|delivery| _ = world.github.log_delivery(delivery, None));
        // `check` names the two failures.
        let (code, said) = machine.run(&resume.text);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == 1 && said.contains("2 of the last 2 failed") && said.contains("200 pong"), "{said}");
        assert_eq!(teams_with_people(&world), before, "nothing is changed unasked");
        if truth == Truth::Github {
            // Approved, the handler's team is adopted with everybody in it.
            let approve = format!("sudo sentry-team-sync approve {}\n", machine.only_hold(&world));
            assert_eq!(machine.run(&approve).0, 0);
            machine.wait_until(&world, "adopted", |status| status["teams"] == 1);
            assert_eq!(teams_with_people(&world), before, "nobody is removed unasked");
        }

        // After the first delivery, the missed ones are fetched and carried out.
        let ada = world.person("ada");
        let first = world.github.add_member(crew, ada);
        first.iter().for_each(|delivery| machine.deliver(&world, delivery));
        paste_all(&world, &mut machine, crew, std::slice::from_ref(replay));
        world.wait_for_members("crew", &["ada", "ana"]);
        let after = teams_with_people(&world);
        assert_eq!(after["crew"].0, made, "it is the same team");
        assert_eq!(after["orphan"], before["orphan"], "orphans stay as they are");
        assert_eq!(after.len(), 2);
    }
}
