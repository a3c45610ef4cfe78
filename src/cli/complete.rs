//! Shell completions, made from the tables of commands and settings. The scripts run only this program, for the names
//! of holds, and show no error if that fails.

use std::fmt::Write;

use crate::commands::grammar::{CommandHelp, Flag, Operand, Takes, Word, COMMANDS, HOLD};
use crate::config::SETTINGS;

/// The scripts pass this word in place of a shell's name, to get the names of holds.
pub const HOLDS: &str = "holds";

/// The script for a shell; `None` if the shell is unknown.
pub fn script(shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash()),
        "zsh" => Some(zsh()),
        "fish" => Some(fish()),
        _ => None,
    }
}

/// One flag, as completions need it.
struct Choosable {
    name: String,
    value: Value,
    help: String,
    again: bool,
}

/// The value that follows a flag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    /// A file, but only after `=`.
    PerhapsFile,
    File,
    Folder,
    /// One of several words, separated by `|`.
    Choice(&'static str),
    /// A value that cannot be completed.
    Other(&'static str),
}

impl Value {
    /// Finds the kind of value by its placeholder in help texts.
    fn of(sign: &'static str) -> Self {
        match sign {
            "FILE" => Value::File,
            "DIR" => Value::Folder,
            sign if sign.contains('|') => Value::Choice(sign),
            sign => Value::Other(sign),
        }
    }
}

impl From<&Flag> for Choosable {
    fn from(flag: &Flag) -> Self {
        let value = match flag.takes {
            Takes::Nothing => Value::None,
            Takes::One(sign) | Takes::Many(sign) => Value::of(sign),
            Takes::Perhaps(_) => Value::PerhapsFile,
        };
        let again = matches!(flag.takes, Takes::Many(_));
        Self { name: flag.name.into(), value, help: flag.help.into(), again }
    }
}

fn settings() -> Vec<Choosable> {
    let option = |setting: &crate::config::Setting| Choosable {
        name: setting.flag(),
        value: Value::of(setting.value),
        help: setting.help.into(),
        again: false,
    };
    SETTINGS.iter().map(option).collect()
}

fn options(command: &CommandHelp) -> Vec<Choosable> {
    command.flags.iter().map(Choosable::from).collect()
}

/// All flags, each once.
fn all() -> Vec<Choosable> {
    let mut all = settings();
    for option in COMMANDS.iter().flat_map(options) {
        if all.iter().all(|known| known.name != option.name) {
            all.push(option);
        }
    }
    all
}

fn word(command: &CommandHelp) -> Option<Word> {
    match command.operand {
        Operand::None => None,
        Operand::Perhaps(word) | Operand::One(word) | Operand::Some(word) => Some(word),
    }
}

fn choices(command: &CommandHelp) -> Vec<&'static str> {
    word(command).map(|word| word.choices.to_vec()).unwrap_or_default()
}

fn takes_holds(command: &CommandHelp) -> bool {
    word(command) == Some(HOLD)
}

fn dashed(options: &[Choosable]) -> String {
    options.iter().map(|option| format!("--{}", option.name)).collect::<Vec<_>>().join(" ")
}

/// A `case` branch for each option that takes one of several words.
fn bash_words(all: &[Choosable]) -> String {
    let mut words = String::new();
    for option in all {
        if let Value::Choice(choices) = option.value {
            let choices = choices.replace('|', " ");
            let _ =
                writeln!(words, "        --{}) _sentry_team_sync_words '{choices}'; return ;;", option.name);
        }
    }
    words
}

fn bash() -> String {
    let all = all();
    let with = |fits: fn(Value) -> bool| {
        let fitting = all.iter().filter(|option| fits(option.value));
        fitting.map(|option| format!("--{}", option.name)).collect::<Vec<_>>().join("|")
    };
    let takes_next = with(|value| !matches!(value, Value::None | Value::PerhapsFile));
    let words = bash_words(&all);
    let mut own = String::new();
    for command in COMMANDS {
        let words = format!("{} {}", dashed(&options(command)), choices(command).join(" "));
        let holds = if takes_holds(command) { "; holds=1" } else { "" };
        let _ = writeln!(own, "        {}) own='{}'{holds} ;;", command.name, words.trim());
    }
    let commands: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
    format!(
        r#"# bash completion for sentry-team-sync
_sentry_team_sync_words() {{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}}
_sentry_team_sync() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command='' own='' behind='' holds='' flag='' dir=() i
    # bash takes `=` for a word of its own.
    if [[ $cur == '=' ]]; then cur='' behind='='; elif [[ $prev == '=' ]]; then prev=${{COMP_WORDS[COMP_CWORD-2]}} behind='='; fi
    case $prev in
{words}        {files}) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); compopt -o filenames; return ;;
        {folders}) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); compopt -o filenames; return ;;
        {others}) return ;;
    esac
    if [[ $behind ]]; then
        if [[ $prev == @({perhaps}) ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$cur"); compopt -o filenames; fi
        return
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
            {takes_next})
                flag=${{COMP_WORDS[i]}}; ((i++)); [[ ${{COMP_WORDS[i]}} == '=' ]] && ((i++))
                if [[ $flag == --state-dir ]]; then dir=(--state-dir "${{COMP_WORDS[i]}}"); fi ;;
            -*|=) ;;
            *) [[ $command ]] || command=${{COMP_WORDS[i]}} ;;
        esac
    done
    case $command in
        '') own='{commands}' ;;
{own}    esac
    if [[ $holds && $cur != -* ]]; then own+=" $("${{COMP_WORDS[0]}}" completions {HOLDS} "${{dir[@]}}" 2>/dev/null)"; fi
    _sentry_team_sync_words "$own --help --version {settings}"
}}
complete -F _sentry_team_sync sentry-team-sync
"#,
        files = with(|value| value == Value::File),
        folders = with(|value| value == Value::Folder),
        others = with(|value| matches!(value, Value::Other(_))),
        perhaps = with(|value| value == Value::PerhapsFile),
        commands = commands.join(" "),
        settings = dashed(&settings()),
    )
}

fn zsh() -> String {
    let mut text = format!(
        "#compdef sentry-team-sync\n_sentry_team_sync_holds() {{\n    compadd -- ${{(f)\"$(_call_program holds sentry-team-sync completions {HOLDS} 2>/dev/null)\"}}\n}}\n",
    );
    text.push_str(
        "_sentry_team_sync() {\n    local curcontext=$curcontext state\n    typeset -A opt_args\n    local -a settings commands\n    settings=(\n",
    );
    for option in settings() {
        let _ = writeln!(text, "        {}", zsh_option(&option));
    }
    text.push_str("        '(-h --help)'{-h,--help}'[show help]'\n        '(-V --version)'{-V,--version}'[print the version]'\n    )\n    commands=(\n");
    for command in COMMANDS {
        let help = command.help.replace(':', "\\:");
        let _ = writeln!(text, "        {}", quoted(&format!("{}:{help}", command.name)));
    }
    text.push_str(
        "    )\n    _arguments -C $settings '1:command:->command' '*::argument:->argument' && return\n    case $state in\n        command) _describe command commands ;;\n        argument)\n            case $words[1] in\n",
    );
    for command in COMMANDS {
        let mut all: Vec<String> = options(command).iter().map(zsh_option).collect();
        let words = choices(command);
        if !words.is_empty() {
            all.push(quoted(&format!("1:word:({})", words.join(" "))));
        }
        if takes_holds(command) {
            all.push("'*:hold:_sentry_team_sync_holds'".into());
        }
        let _ = writeln!(text, "                {}) _arguments $settings {} ;;", command.name, all.join(" "));
    }
    // The completion system calls this file as the function; a user who sources the file has to register the function.
    text.push_str(
        "            esac ;;\n    esac\n}\nif [[ $funcstack[1] == _sentry_team_sync ]]; then\n    _sentry_team_sync \"$@\"\nelse\n    compdef _sentry_team_sync sentry-team-sync\nfi\n",
    );
    text
}

fn zsh_option(option: &Choosable) -> String {
    let help = option.help.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
    let again = if option.again { "*" } else { "" };
    let name = &option.name;
    quoted(&match option.value {
        Value::None => format!("{again}--{name}[{help}]"),
        Value::PerhapsFile => format!("{again}--{name}=-[{help}]::file:_files"),
        Value::File => format!("{again}--{name}=[{help}]:file:_files"),
        Value::Folder => format!("{again}--{name}=[{help}]:folder:_files -/"),
        Value::Choice(choices) => format!("{again}--{name}=[{help}]:word:({})", choices.replace('|', " ")),
        Value::Other(sign) => format!("{again}--{name}=[{help}]:{sign}: "),
    })
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn fish() -> String {
    let program = "complete -c sentry-team-sync";
    let mut text = format!("# fish completion for sentry-team-sync\n{program} -f\n");
    for command in COMMANDS {
        let help = fish_quoted(command.help);
        let _ = writeln!(text, "{program} -n __fish_use_subcommand -a {} -d {help}", command.name);
    }
    for command in COMMANDS {
        let here = format!("-n '__fish_seen_subcommand_from {}'", command.name);
        for option in options(command) {
            let _ = writeln!(text, "{program} {here} {}", fish_option(&option));
        }
        for word in choices(command) {
            let _ = writeln!(text, "{program} {here} -a {word}");
        }
        if takes_holds(command) {
            let ask = format!("(set -l words (commandline -opc); $words[1] completions {HOLDS} 2>/dev/null)");
            let _ = writeln!(text, "{program} {here} -a {}", fish_quoted(&ask));
        }
    }
    for option in settings() {
        let _ = writeln!(text, "{program} {}", fish_option(&option));
    }
    let _ = writeln!(text, "{program} -s h -l help -d 'show help'");
    let _ = writeln!(text, "{program} -s V -l version -d 'print the version'");
    text
}

fn fish_option(option: &Choosable) -> String {
    let value = match option.value {
        Value::None | Value::PerhapsFile => String::new(),
        Value::File => " -r -F".into(),
        Value::Folder => " -x -a '(__fish_complete_directories)'".into(),
        Value::Choice(choices) => format!(" -x -a {}", fish_quoted(&choices.replace('|', " "))),
        Value::Other(_) => " -x".into(),
    };
    format!("-l {}{value} -d {}", option.name, fish_quoted(&option.help))
}

fn fish_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
