//! From texts to a rule set: everything read, named, changed, linked and checked, whole or not at all.
//!
//! [`Root`]s go in; out comes a [`Loaded`] set with its warnings, or every error at once. Knows
//! nothing of how the texts were found, or of messages.

use super::compile::{Atoms, SET_TOO_LARGE};
use super::diagnostic::{self, Diagnostic, Level, nearest};
use super::files::{self, File};
use super::link::{self, Catalogue, Linked, Named};
use super::list_entry::{self, BuiltList, Change, ListEntry, Stated};
use super::lists::List;
use super::overlay::{self, ExceptionEntry};
use super::pack::{self, Manifest, RuleEntry, RuleFile};
use super::protected::{mistaken, protected};
use super::set::{Details, ListInfo, Loaded, Parts, RuleSet};
use super::source::{Root, Source};
use super::stock::{KnownList, Origin, Stock};
use super::table::plain;
use super::{RuleInfo, Score, Status};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Rules in a set.
pub const RULES_MAX: usize = 20_000;
/// The pack that the house's own files count as.
pub const HOUSE: &str = "house";

/// How a set is put together.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// Whether a rule has expired is first told by this.
    pub now: Timestamp,
    /// Whether overrides and exceptions count; tests go without.
    pub overlays: bool,
    /// Entries that replace those of a list, by its name.
    pub lists: Vec<(String, Stated)>,
    /// One more rule, that stands in no file.
    pub asked: Option<Asked>,
    /// What may be taken over where it is unchanged.
    pub before: Arc<Stock>,
    /// What to leave the rest of the texts out for.
    pub only: Option<Only>,
}

/// Some conditions of a set with all that they refer to. What others say isn't looked at, so that such a set is
/// good for evaluation and tells nothing of the whole.
#[derive(Debug, Clone, Default)]
pub(super) struct Only {
    /// Ids of rules.
    pub rules: HashSet<String>,
    pub defines: HashSet<String>,
    pub lists: HashSet<String>,
}

impl Options {
    /// Everything, as it stands in the files.
    pub(super) fn all(now: Timestamp, before: Arc<Stock>) -> Self {
        Self {
            now,
            overlays: true,
            lists: Vec::new(),
            asked: None,
            before,
            only: None,
        }
    }

    fn wants(&self, name: &str, among: impl Fn(&Only) -> &HashSet<String>) -> bool {
        self.only.as_ref().is_none_or(|only| among(only).contains(name))
    }
}

/// A condition that somebody asks about, to be judged among the rules of a set.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// What its diagnostics call it.
    pub name: String,
    /// The id that it has in the set.
    pub id: String,
    /// The condition.
    pub when: String,
    /// What it would add.
    pub score: Score,
}

/// Builds a set.
///
/// # Errors
/// Everything that is wrong, sorted, warnings among it.
pub(super) fn assemble(mut roots: Vec<Root>, options: &Options) -> Result<Loaded, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let packs = manifests(&roots, &mut diagnostics);
    let mut files = files::read(&mut roots, &options.before, &mut diagnostics);
    files.extend(options.asked.as_ref().map(|asked| Arc::new(asked.file(roots.len()))));
    // Of a part of a set, what is to be said of the whole was said when that was loaded.
    if options.only.is_none() {
        names_once(&files, &mut diagnostics);
        keep_mails(&files, &mut roots, &mut diagnostics);
    }
    let lists = lists(&files, &mut roots, options, &mut diagnostics);
    let broken: Vec<String> = broken_lists(&files, &lists.by_name);
    let parts = parts(&files, &packs, &lists.by_name, options, &mut diagnostics);
    // A list that can't be built was told of where it stands; not again wherever it is used.
    diagnostics.retain(|found| found.code != "unknown-list" || !broken.iter().any(|name| found.message.contains(name)));
    diagnostics.retain(|diagnostic| !diagnostic.is_silenced());
    let mut diagnostics: Vec<Diagnostic> = diagnostics
        .into_iter()
        .map(Diagnostic::with_unheeded_allowance)
        .collect();
    diagnostic::sort(&mut diagnostics);
    once_each(&mut diagnostics);
    match parts {
        Some(parts) if !diagnostics.iter().any(|found| found.level == Level::Error) => {
            let stock = Stock {
                files,
                lists: lists.known,
                patterns: Arc::clone(parts.scanner.patterns()),
            };
            Ok(Loaded {
                set: RuleSet::new(parts, packs, lists.infos, roots, stock),
                warnings: diagnostics,
            })
        }
        _ => Err(diagnostics),
    }
}

/// That a set as a whole is too large is told where it becomes so, not of everything that follows.
fn once_each(diagnostics: &mut Vec<Diagnostic>) {
    let mut told: HashMap<String, usize> = HashMap::new();
    for found in diagnostics.iter().filter(|found| found.code == SET_TOO_LARGE) {
        *told.entry(found.message.clone()).or_default() += 1;
    }
    diagnostics.retain_mut(|found| match told.get_mut(&found.message).map(std::mem::take) {
        Some(0) => false,
        Some(places @ 2..) => {
            found.notes.push(format!("so it is at {} after this one", places - 1));
            true
        }
        _ => true,
    });
}

/// The pack's manifest of each root; a root without one is the house's.
fn manifests(roots: &[Root], diagnostics: &mut Vec<Diagnostic>) -> Vec<Manifest> {
    let mut packs: Vec<Manifest> = Vec::new();
    for root in roots {
        let manifest = match &root.manifest {
            Some(source) => {
                let (manifest, mut problems) = pack::read_manifest(source);
                diagnostics.append(&mut problems);
                if manifest.name == HOUSE || packs.iter().any(|pack| pack.name == manifest.name) {
                    let message = format!("there is another pack named `{}`", plain(&manifest.name));
                    diagnostics.push(Diagnostic::error("duplicate-pack", source, 0..0, message));
                }
                manifest
            }
            None => Manifest {
                name: HOUSE.to_owned(),
                ..Manifest::default()
            },
        };
        packs.push(manifest);
    }
    packs
}

impl Asked {
    /// As a file of its own, so that what is wrong with it is told like any other mistake.
    fn file(&self, root: usize) -> File {
        let content = RuleFile {
            rules: vec![RuleEntry::asked(&self.id, &self.when, self.score)],
            ..RuleFile::default()
        };
        File::stated(root, Arc::new(Source::new(&self.name, &self.when)), content)
    }
}

/// Complains of every second rule, define or list of a name; a rule's older ids are its own too.
fn names_once<'f>(files: &'f [Arc<File>], diagnostics: &mut Vec<Diagnostic>) {
    let mut first: HashMap<(&str, &str), String> = HashMap::new();
    for file in files {
        let every_id = |rule: &'f RuleEntry| std::iter::once(&rule.id).chain(&rule.renamed_from);
        let rules = file.content.rules.iter().flat_map(every_id).map(|id| ("rule", id));
        let defines = file.content.defines.iter().map(|define| ("define", &define.name));
        let lists = file.content.lists.iter().map(|list| ("list", &list.name));
        for (what, name) in rules.chain(defines).chain(lists) {
            let here = format!("{}:{}", file.source.name, file.line(name.span.start));
            let Some(place) = first.insert((what, &name.value), here) else {
                continue;
            };
            let code = match what {
                "rule" => "duplicate-rule",
                "define" => "duplicate-define",
                _ => "duplicate-list",
            };
            let message = format!("there is another {what} `{}`", plain(&name.value));
            let help = match place.starts_with(&file.source.name) || what == "define" {
                true => "take one out, or give it another name",
                false => "to change what another file defines, write an override",
            };
            diagnostics.push(
                Diagnostic::error(code, &file.source, name.span.clone(), message)
                    .help(help)
                    .note(format!("the other stands at {place}")),
            );
        }
    }
}

/// The lists of a set.
#[derive(Default)]
pub(super) struct Lists {
    pub by_name: HashMap<String, Arc<List>>,
    infos: Vec<ListInfo>,
    known: HashMap<String, KnownList>,
}

/// The changes to one list, each with its file.
type Changes<'f> = Vec<(Change<'f>, &'f Arc<File>)>;

/// The lists of all files, changed as the house wants them.
pub(super) fn lists(
    files: &[Arc<File>],
    roots: &mut [Root],
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Lists {
    let mut changes: HashMap<&str, Changes<'_>> = HashMap::new();
    for file in files.iter().filter(|_| options.overlays) {
        for change in &file.content.list_overrides {
            let text = change.file.as_ref().and_then(|path| {
                let root = roots.get_mut(file.root)?;
                list_entry::read_file(root, path, &file.source, diagnostics)
            });
            let whole = Change {
                entry: change,
                source: &file.source,
                text,
            };
            changes.entry(&change.list.value).or_default().push((whole, file));
        }
    }
    let mut lists = Lists::default();
    for file in files {
        for (at, entry) in file.content.lists.iter().enumerate() {
            let name = &entry.name.value;
            let Some(root) = roots
                .get_mut(file.root)
                .filter(|_| options.wants(name, |only| &only.lists))
            else {
                continue;
            };
            let changed = changes.remove(name.as_str()).unwrap_or_default();
            let stated = options.lists.iter().find(|(stated, _)| stated == name);
            let built = match stated {
                Some((_, stated)) => entry.restated(stated, &file.source, diagnostics),
                None => lists.take((file, at, entry), root, &changed, &options.before, diagnostics),
            };
            let Some(BuiltList { list, source }) = built else {
                continue;
            };
            diagnostics.extend(mistaken(entry, &file.source));
            lists.infos.push(ListInfo {
                name: list.name().to_owned(),
                kind: list.kind(),
                entries: list.len(),
                modified: source.modified,
            });
            lists.by_name.insert(list.name().to_owned(), list);
        }
    }
    for (name, left) in changes {
        for (change, file) in left {
            let known = files.iter().flat_map(|file| &file.content.lists);
            let near = nearest(name, known.map(|list| list.name.value.as_str()));
            let message = format!("there is no list `{}`", plain(name));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            let error = Diagnostic::error("unknown-list", &file.source, change.entry.list.span.clone(), message);
            diagnostics.push(error.maybe_help(help));
        }
    }
    lists
}

impl Lists {
    /// The list of an entry: the one from before, if it was made of the same.
    fn take(
        &mut self,
        (file, at, entry): (&Arc<File>, usize, &ListEntry),
        root: &mut Root,
        changes: &Changes<'_>,
        before: &Stock,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<BuiltList> {
        let origin = Origin {
            file: Arc::clone(file),
            at,
            // What can't be read is told when the list is built.
            entries: entry.file.as_ref().and_then(|path| root.list(&path.value).ok()),
            changes: changes.iter().map(|(_, file)| Arc::clone(file)).collect(),
            added: changes.iter().filter_map(|(change, _)| change.text.clone()).collect(),
        };
        let name = &entry.name.value;
        let told = diagnostics.len();
        let built = match before.list(name, &origin) {
            Some((list, warnings)) => {
                diagnostics.extend_from_slice(warnings);
                let source = origin.added.last().or(origin.entries.as_ref()).unwrap_or(&file.source);
                let source = Arc::clone(source);
                BuiltList { list, source }
            }
            None => {
                let changes: Vec<&Change<'_>> = changes.iter().map(|(change, _)| change).collect();
                entry.build(&file.source, root, &changes, diagnostics)?
            }
        };
        let warnings = diagnostics.get(told..).unwrap_or_default().to_vec();
        self.known
            .insert(name.clone(), KnownList::new(&built.list, origin, warnings));
        Some(built)
    }
}

/// The names of lists that are defined but couldn't be built, as messages write them.
fn broken_lists(files: &[Arc<File>], lists: &HashMap<String, Arc<List>>) -> Vec<String> {
    let defined = files.iter().flat_map(|file| &file.content.lists);
    defined
        .map(|entry| &entry.name.value)
        .filter(|name| !lists.contains_key(*name))
        .map(|name| format!("`${name}`"))
        .collect()
}

/// Mails that tests name belong to the set's texts, so that its tests run wherever it goes.
fn keep_mails(files: &[Arc<File>], roots: &mut [Root], diagnostics: &mut Vec<Diagnostic>) {
    for file in files {
        let tests = file.content.rules.iter().flat_map(|rule| rule.tests.iter());
        let scenes = tests
            .map(|test| &test.scene)
            .chain(file.content.verdict_tests.iter().map(|test| &test.scene));
        for path in scenes.filter_map(|scene| scene.mail.file.as_ref()) {
            if let Some(Err(why)) = roots.get_mut(file.root).map(|root| root.list(&path.value)) {
                let message = format!("the mail `{}` can't be read: {why}", plain(&path.value));
                diagnostics.push(Diagnostic::error("mail-file", &file.source, path.span.clone(), message));
            }
        }
    }
}

fn parts(
    files: &[Arc<File>],
    packs: &[Manifest],
    lists: &HashMap<String, Arc<List>>,
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Parts> {
    let rules: Vec<(&File, &RuleEntry)> = files
        .iter()
        .flat_map(|file| file.content.rules.iter().map(move |rule| (&**file, rule)))
        .filter(|(_, rule)| options.wants(&rule.id.value, |only| &only.rules))
        .collect();
    let mut infos: Vec<RuleInfo> = rules
        .iter()
        .map(|(file, rule)| info(file, rule, packs.get(file.root)))
        .collect();
    let ids: HashMap<&str, usize> = places(&rules, |rule| vec![rule.id.value.as_str()]);
    let older = places(&rules, |rule| {
        rule.renamed_from.iter().map(|name| name.value.as_str()).collect()
    });
    let find = |id: &str| -> Option<usize> { ids.get(id).or_else(|| older.get(id)).copied() };
    if options.only.is_none() {
        check_replaces(&rules, &find, diagnostics);
    }
    rename_replaced(&mut infos, &find);
    let mut exceptions: HashMap<usize, Vec<(&ExceptionEntry, &File)>> = HashMap::new();
    if options.overlays {
        let overrides: Vec<_> = files
            .iter()
            .flat_map(|file| file.content.overrides.iter().map(|entry| (entry, &file.source)))
            .collect();
        overlay::apply(&overrides, &mut infos, &find, diagnostics);
        exceptions = place_exceptions(files, &find, &ids, options, diagnostics);
    }
    expire(&rules, &mut infos, options, diagnostics);

    let named = named(files, &rules, &exceptions, options);
    let defines = named.len() - rules.len();
    let renamed = older.iter().map(|(name, at)| (*name, at + defines)).collect();
    let catalogue = Catalogue::new(&named, renamed, lists);
    let mut atoms = Atoms::after(Arc::clone(&options.before.patterns));
    let linked = link::compile_all(&named, &catalogue, &mut atoms, diagnostics);
    let linked: Vec<Linked> = linked.into_iter().collect::<Option<_>>()?;
    let order = match link::order(&named, &linked) {
        Ok(order) => order,
        Err(mut cycles) => {
            diagnostics.append(&mut cycles);
            return None;
        }
    };
    let scanner = atoms.build();
    Some(Parts {
        details: rules.iter().map(|(_, rule)| details(rule)).collect(),
        rules: infos,
        defines,
        linked,
        order,
        scanner,
        protected: protected(lists),
        exceptions: (0..rules.len()).map(|at| own_exceptions(exceptions.get(&at))).collect(),
        tests: rules.iter().map(|(_, rule)| Arc::clone(&rule.tests)).collect(),
        verdict_tests: files
            .iter()
            .filter(|_| options.only.is_none())
            .flat_map(|file| file.content.verdict_tests.iter().cloned().map(|test| (file.root, test)))
            .collect(),
        roots_of_rules: rules.iter().map(|(file, _)| file.root).collect(),
    })
}

fn own_exceptions(entries: Option<&Vec<(&ExceptionEntry, &File)>>) -> Vec<(String, Timestamp)> {
    let entries = entries.into_iter().flatten();
    entries
        .map(|(entry, _)| (entry.name.clone(), end_of_day(entry.expires)))
        .collect()
}

fn places<'r>(
    rules: &[(&'r File, &'r RuleEntry)],
    names: impl Fn(&'r RuleEntry) -> Vec<&'r str>,
) -> HashMap<&'r str, usize> {
    let mut places = HashMap::new();
    for (at, (_, rule)) in rules.iter().enumerate() {
        for name in names(rule) {
            places.entry(name).or_insert(at);
        }
    }
    places
}

fn info(file: &File, rule: &RuleEntry, pack: Option<&Manifest>) -> RuleInfo {
    RuleInfo {
        id: rule.id.value.clone(),
        summary: rule.summary.clone(),
        category: rule.category,
        severity: rule.severity,
        score: rule.score,
        status: rule.status,
        floor: rule.action,
        cap: rule.cap,
        group: rule.group.clone(),
        replaces: rule.replaces.iter().map(|id| id.value.clone()).collect(),
        tags: rule.tags.clone(),
        file: file.source.name.clone(),
        line: file.line(rule.start),
        pack: pack.map(|pack| pack.name.clone()).unwrap_or_default(),
    }
}

fn details(rule: &RuleEntry) -> Details {
    Details {
        owner: rule.owner.clone(),
        references: rule.references.clone(),
        false_positives: rule.false_positives.clone(),
        condition: rule.when.text.clone(),
        expires: rule.expires.map(end_of_day),
    }
}

/// The moment at which that day is over, UTC.
pub(super) fn end_of_day(date: Date) -> Timestamp {
    date.tomorrow()
        .and_then(|next| next.to_zoned(TimeZone::UTC))
        .map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// A rule that has expired stays, as a shadow of itself.
fn expire(rules: &[(&File, &RuleEntry)], infos: &mut [RuleInfo], options: &Options, diagnostics: &mut Vec<Diagnostic>) {
    for ((file, rule), info) in rules.iter().zip(infos) {
        if let Some(date) = rule.expires
            && options.now >= end_of_day(date)
        {
            info.status = Status::Shadow;
            let message = format!(
                "{} expired at the end of {date}: it is counted but doesn't act",
                info.id
            );
            diagnostics.push(Diagnostic::warning(
                "expired",
                &file.source,
                rule.id.span.clone(),
                message,
            ));
        }
    }
}

fn check_replaces(
    rules: &[(&File, &RuleEntry)],
    find: &dyn Fn(&str) -> Option<usize>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for (at, (file, rule)) in rules.iter().enumerate() {
        for replaced in &rule.replaces {
            let (message, help) = match find(&replaced.value) {
                None => {
                    let near = nearest(&replaced.value, rules.iter().map(|(_, rule)| rule.id.value.as_str()));
                    let message = format!("there is no rule `{}`", plain(&replaced.value));
                    (message, near.map(|near| format!("did you mean `{near}`?")))
                }
                Some(same) if same == at => ("a rule can't replace itself".to_owned(), None),
                Some(_) => continue,
            };
            let error = Diagnostic::error("unknown-rule", &file.source, replaced.span.clone(), message);
            diagnostics.push(error.maybe_help(help));
        }
    }
}

/// What is replaced by an older id is meant by its present one.
fn rename_replaced(infos: &mut [RuleInfo], find: &dyn Fn(&str) -> Option<usize>) {
    let ids: Vec<String> = infos.iter().map(|info| info.id.clone()).collect();
    for replaced in infos.iter_mut().flat_map(|info| &mut info.replaces) {
        if let Some(present) = find(replaced).and_then(|at| ids.get(at)) {
            replaced.clone_from(present);
        }
    }
}

fn place_exceptions<'f>(
    files: &'f [Arc<File>],
    find: &dyn Fn(&str) -> Option<usize>,
    ids: &HashMap<&str, usize>,
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> HashMap<usize, Vec<(&'f ExceptionEntry, &'f File)>> {
    let mut placed: HashMap<usize, Vec<_>> = HashMap::new();
    for file in files {
        for exception in &file.content.exceptions {
            let id = &exception.rule;
            let Some(at) = find(&id.value) else {
                let message = format!("there is no rule `{}`", plain(&id.value));
                let help = nearest(&id.value, ids.keys().copied()).map(|near| format!("did you mean `{near}`?"));
                let error = Diagnostic::error("unknown-rule", &file.source, id.span.clone(), message);
                diagnostics.push(error.maybe_help(help));
                continue;
            };
            if options.now >= end_of_day(exception.expires) {
                let message = format!(
                    "the exception `{}` expired at the end of {}",
                    plain(&exception.name),
                    exception.expires
                );
                let warning = Diagnostic::warning("expired", &file.source, id.span.clone(), message);
                diagnostics.push(warning.help("take it out, or give it a new end"));
            }
            placed.entry(at).or_default().push((exception, &**file));
        }
    }
    placed
}

/// Defines first, then rules, so that a rule's place is known from its own order.
fn named<'f>(
    files: &'f [Arc<File>],
    rules: &[(&'f File, &'f RuleEntry)],
    exceptions: &HashMap<usize, Vec<(&'f ExceptionEntry, &'f File)>>,
    options: &Options,
) -> Vec<Named<'f>> {
    let defines = files.iter().flat_map(|file| {
        let defines = file.content.defines.iter();
        let wanted = defines.filter(|define| options.wants(&define.name.value, |only| &only.defines));
        wanted.map(|define| Named {
            name: &define.name.value,
            tags: &[],
            written: file.written(&define.when),
            own: Vec::new(),
        })
    });
    let rules = rules.iter().enumerate().map(|(at, (file, rule))| Named {
        name: &rule.id.value,
        tags: &rule.tags,
        written: file.written(&rule.when),
        own: exceptions
            .get(&at)
            .into_iter()
            .flatten()
            .map(|(exception, file)| file.written(&exception.when))
            .collect(),
    });
    defines.chain(rules).collect()
}
