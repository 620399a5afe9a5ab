//! The child of some tests is this program again, with one of the tests below that are ignored otherwise.
use super::*;
use crate::control::request::{Reply, Request};
use crate::control::server::{Answer, ControlSocket};
use crate::model::tests::GOOD;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

const FILTER: &str = "{ source = \"me\", destination = \"any\" }";

/// Names a child's root.
const ROOT: &str = "POLICYAGENT_STORE_TEST_ROOT";

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("policyagent-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn paths(&self) -> Paths {
        Paths::new(&self.0)
    }

    fn local(&self) -> Store {
        Store { patience: Duration::from_millis(100), ..Store::local(&self.paths(), None) }
    }

    /// A command that runs the test `name` in a child.
    fn child(&self, name: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "--nocapture", &format!("store::tests::{name}")]).env(ROOT, &self.0);
        command
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The root that a child was given.
fn given_root() -> Paths {
    Paths::new(Path::new(&std::env::var_os(ROOT).expect("this test is the child of another one")))
}

fn set(store: &Store, text: &str) -> Result<(), EditError<Infallible>> {
    store.edit(|_| Ok((text.to_owned(), ())))
}

fn objects(loaded: &Loaded) -> Option<&str> {
    loaded.file.as_ref()?.policies.first().map(|policy| policy.name.as_str())
}

#[test]
fn an_edit_is_there_whole_or_not_at_all() {
    let scratch = Scratch::new("edit");
    let store = scratch.local();
    assert!(store.load().unwrap().file.is_none(), "an absent file is an empty document");
    let old = store.edit(|old| Ok::<_, Infallible>((GOOD.to_owned(), old.to_owned()))).unwrap();
    assert_eq!((old.as_str(), objects(&store.load().unwrap())), ("", Some("lab")));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert!(store.last_good().is_none(), "nobody has seen it in force");
    store.keep(GOOD).unwrap();
    assert_eq!((mode(store.path()), mode(&store.last_good)), (0o600, 0o600), "there are keys in it");
    assert_eq!(mode(&scratch.paths().last_good()), 0o700);

    let error = set(&store, &GOOD.replace("negotiate", "negociate")).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}:20:10: action of", store.path().display())), "{error}");
    assert!(!error.contains("correct horse"), "{error}");
    let refused = store.edit(|_| Err::<(String, ()), _>("no such rule")).unwrap_err();
    assert_eq!(refused.to_string(), "no such rule");
    let long = "#".repeat((16 << 20) + 1);
    assert!(set(&store, &long).unwrap_err().to_string().contains("16777217 octets long, allowed: 16777216"));
    assert_eq!(fs::read_to_string(store.path()).unwrap(), GOOD);

    let ahead = fs::metadata(store.path()).unwrap();
    set(&store, GOOD).unwrap();
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(fs::metadata(store.path()).unwrap().ino(), ahead.ino(), "what is the same is not written");
    let names = fs::read_dir(store.path().parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: BTreeSet<String> = names.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(names, ["policy.toml", "policy.toml.lock"].map(str::to_owned).into());
}

#[test]
fn a_link_stays_one() {
    let scratch = Scratch::new("link");
    let store = scratch.local();
    let target = scratch.0.join("real.toml");
    fs::write(&target, "").unwrap();
    fs::create_dir_all(store.path().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&target, store.path()).unwrap();
    set(&store, GOOD).unwrap();
    assert!(fs::symlink_metadata(store.path()).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), GOOD);
}

#[test]
fn a_broken_file_is_its_last_good_version_and_can_be_repaired() {
    let scratch = Scratch::new("last-good");
    let store = scratch.local();
    set(&store, GOOD).unwrap();
    store.keep(GOOD).unwrap();
    fs::write(store.path(), &GOOD[..GOOD.len() / 2]).unwrap();
    let loaded = store.load().unwrap();
    assert_eq!(objects(&loaded), Some("lab"));
    assert_eq!(store.last_good().unwrap().text(), GOOD);
    assert!(loaded.error.unwrap().to_string().starts_with(&store.path().display().to_string()));
    assert_eq!(loaded.file.unwrap().path, store.last_good, "faults that show later are told of the text that has them");

    // It is what stands in the file that is edited.
    let broken = store.edit(|old| Ok::<_, Infallible>((GOOD.replace("lab", "office"), old.to_owned()))).unwrap();
    assert_eq!(broken, GOOD[..GOOD.len() / 2]);
    let loaded = store.load().unwrap();
    assert_eq!((objects(&loaded), loaded.error.is_none()), (Some("office"), true));

    // A file that somebody names must be there; one that never was good has no good version.
    let other = scratch.0.join("other.toml");
    let named = Store::local(&scratch.paths(), Some(&other));
    assert!(named.load().unwrap_err().to_string().contains("No such file"));
    fs::write(&other, "[[policy]]\n").unwrap();
    assert!(named.load().unwrap_err().to_string().contains("has no name"));
    set(&named, GOOD).unwrap();
    named.keep(GOOD).unwrap();
    fs::remove_file(&other).unwrap();
    assert_eq!(objects(&named.load().unwrap()), Some("lab"));
}

#[test]
fn the_stores_have_files_of_their_own() {
    let scratch = Scratch::new("stores");
    let paths = scratch.paths();
    let stores = [Store::local(&paths, None), Store::persistent(&paths), Store::directory(&paths)];
    for (store, name) in stores.iter().zip(["a", "b", "c"]) {
        let text = GOOD.replace("lab", name);
        set(store, &text).unwrap();
        store.keep(&text).unwrap();
    }
    for (store, name) in stores.iter().zip(["a", "b", "c"]) {
        fs::write(store.path(), "=").unwrap();
        assert_eq!(objects(&store.load().unwrap()), Some(name), "{}", store.path().display());
    }
}

#[test]
fn who_holds_the_lock_is_named_after_a_while() {
    let scratch = Scratch::new("lock");
    let store = scratch.local();
    set(&store, GOOD).unwrap();
    let mut child =
        scratch.child("child_that_holds_the_lock").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("inside")));
    let error = set(&store, "").unwrap_err().to_string();
    let lock = store.path().with_extension("toml.lock");
    assert_eq!(error, format!("{} is locked by process {}; nothing was changed", lock.display(), child.id()));
    // Reading waits for nobody.
    assert_eq!(objects(&store.load().unwrap()), Some("lab"));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    set(&store, "").unwrap();
}

#[test]
#[ignore = "the child of another test"]
fn child_that_holds_the_lock() {
    let held = Store::local(&given_root(), None).edit(|_| {
        println!("inside");
        let _ = io::stdin().read_line(&mut String::new());
        Err::<(String, ()), _>("it changes nothing")
    });
    assert!(held.is_err());
}

/// A service that has a dynamic policy, and nothing else.
#[derive(Default)]
struct Memory(Mutex<(u64, String)>);

impl Answer for Memory {
    async fn answer(&self, request: Request, document: Zeroizing<Vec<u8>>) -> (Reply, Zeroizing<Vec<u8>>) {
        let mut held = self.0.lock().unwrap();
        let (now, text) = &mut *held;
        let reply = match request {
            Request::DynamicPolicy => {
                let octets = text.as_bytes().to_vec();
                return (Reply::DynamicPolicy { revision: *now, octets: octets.len() }, Zeroizing::new(octets));
            }
            Request::SetDynamicPolicy { revision, .. } if revision == *now => {
                *text = String::from_utf8(document.to_vec()).unwrap();
                *now += 1;
                Reply::done("set")
            }
            _ => Reply::OtherRevision { revision: *now },
        };
        (reply, Zeroizing::default())
    }
}

#[test]
fn the_dynamic_store_is_edited_in_the_service_and_no_edit_is_lost() {
    let scratch = Scratch::new("dynamic");
    let paths = scratch.paths();
    let store = Store::dynamic(&paths);
    assert!(set(&store, GOOD).unwrap_err().to_string().starts_with("no policyagent is running"));
    fs::create_dir_all(paths.run()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let socket = runtime.block_on(async { ControlSocket::open(&paths.socket()) }).unwrap();
    let memory = Arc::new(Memory::default());
    let served = Arc::clone(&memory);
    runtime.spawn(async move { socket.serve(served).await });

    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..10 {
                    let list = format!("[[filter_list]]\nname = \"{thread} {number}\"\nfilters = [{FILTER}]\n");
                    store.edit(|old| Ok::<_, Infallible>((old.to_owned() + &list, ()))).unwrap();
                }
            });
        }
    });
    assert_eq!(store.load().unwrap().file.unwrap().filter_lists.len(), 40);
    let revision = memory.0.lock().unwrap().0;
    assert_eq!(revision, 40, "each edit that others overtook was made again");
    store.edit(|old| Ok::<_, Infallible>((old.to_owned(), ()))).unwrap();
    let error = set(&store, "[[policy]]\n").unwrap_err().to_string();
    assert!(error.starts_with("dynamic policy:1:1: policy 1 in policy of the file has no name"), "{error}");
    assert_eq!(memory.0.lock().unwrap().0, revision);
    runtime.shutdown_timeout(Duration::from_secs(1));
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    let scratch = Scratch::new("kill");
    let store = scratch.local();
    let mut random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8);
    let mut acknowledged = 0_u32;
    let mut killed_in_between = 0;
    for _ in 0..40 {
        let mut child = scratch.child("child_that_edits_for_ever").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut take = |line: String| {
            let Some(number) = line.strip_prefix("edited ") else { return false };
            let number = number.parse().unwrap();
            assert!(number == acknowledged + 1 || number == acknowledged + 2, "{number} after {acknowledged}");
            acknowledged = number;
            true
        };
        // It has begun: then it is killed within the next few edits.
        while !take(lines.next().expect("the child edits")) {}
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros(random >> 50));
        child.kill().unwrap();
        // What it had said before.
        lines.for_each(|line| {
            take(line);
        });
        child.wait().unwrap();
        let there = numbers(fs::read_to_string(store.path()).unwrap());
        assert!(there == acknowledged || there == acknowledged + 1, "{there} edits, {acknowledged} acknowledged");
        killed_in_between += there - acknowledged;
        let last_good = numbers(store.last_good().expect("the edits before the last were kept").text().to_owned());
        assert!(last_good == there || last_good + 1 == there, "{last_good} and {there}");
    }
    println!("{acknowledged} edits acknowledged, {killed_in_between} written and not yet acknowledged");
    assert!(acknowledged >= 40);
}

/// How many filter lists a good document has, all of them there.
fn numbers(text: String) -> u32 {
    let file = PolicyFile::parse(&Document::of("/x", &text)).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let count = u32::try_from(file.filter_lists.len()).unwrap();
    for (list, number) in file.filter_lists.iter().zip(1..) {
        assert_eq!(list.name, format!("{number}"));
    }
    count
}

#[test]
#[ignore = "the child of another test"]
fn child_that_edits_for_ever() {
    let store = Store::local(&given_root(), None);
    loop {
        let edited = store.edit(|old| {
            let number = old.matches("filter_list").count() + 1;
            let list = format!("[[filter_list]]\nname = \"{number}\"\nfilters = [{FILTER}]\n");
            Ok::<_, Infallible>((old.to_owned() + &list, number))
        });
        let edited = edited.unwrap();
        // As the service does that has it in force.
        store.keep(store.read().unwrap().unwrap().text()).unwrap();
        println!("edited {edited}");
        io::stdout().flush().unwrap();
    }
}

/// What a child says that edits the local store of `scratch` where `script` has made it impossible; the file has GOOD all the
/// while.
fn impossible(scratch: &Scratch, script: &str) -> String {
    let store = scratch.local();
    set(&store, GOOD).unwrap();
    let child = scratch.child("child_that_cannot_edit");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-ec", &format!("{script}\n\"$0\" \"$@\"")]);
    command.arg(child.get_program()).args(child.get_args()).env(ROOT, &scratch.0);
    let output: Output = command.current_dir(scratch.0.join("etc/policyagent")).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_to_string(store.path()).unwrap(), GOOD);
    told
}

#[test]
#[ignore = "the child of another test"]
fn child_that_cannot_edit() {
    let store = Store::local(&given_root(), None);
    let before = fs::read_to_string(store.path()).unwrap();
    let filters = format!("{FILTER},\n").repeat(10_000);
    let list = format!("{before}[[filter_list]]\nname = \"many\"\nfilters = [{filters}]\n");
    println!("told: {}", set(&store, &list).unwrap_err());
    assert_eq!(fs::read_to_string(store.path()).unwrap(), before);
    let left = fs::read_dir(store.path().parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().ends_with(".new")), "it has no use");
}

#[test]
fn a_full_disk_changes_nothing() {
    let scratch = Scratch::new("full");
    let tmpfs = "cp policy.toml ..; mount -t tmpfs -o size=64k none .; cd .; cp ../policy.toml \"$PWD\"";
    let told = impossible(&scratch, &format!("{tmpfs}; cd \"$PWD\""));
    let path = scratch.local().path().display().to_string();
    assert!(told.contains(&format!("told: {path}: cannot be written: No space left on device")), "{told}");
}

#[test]
fn a_directory_that_can_only_be_read_changes_nothing() {
    let scratch = Scratch::new("read-only");
    let told = impossible(&scratch, "mount --bind . .; mount -o remount,bind,ro \"$PWD\"; cd \"$PWD\"");
    let lock = format!("{}.lock: Read-only file system", scratch.local().path().display());
    assert!(told.contains(&format!("told: {lock}")), "{told}");
}

#[test]
fn a_crash_while_the_new_file_was_written_hinders_nobody() {
    let scratch = Scratch::new("left");
    let store = scratch.local();
    set(&store, GOOD).unwrap();
    fs::write(store.path().with_file_name(".policy.toml.new"), "half a docum").unwrap();
    set(&store, "").unwrap();
    assert_eq!(fs::read_to_string(store.path()).unwrap(), "");
}
