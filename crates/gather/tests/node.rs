//! Files of a node: read below their root, whatever their links say, and never more than facts.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use bartizan_cluster::node_file::{FileContent, FileFault, FileKind, Node};
use bartizan_gather::node::Reader;
use bartizan_testbed::Authority;

fn node(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn of_node(root: &Path, path: &str, kind: FileKind) -> Node {
    let mut reader = Reader::of(&[root.to_owned()]).unwrap();
    reader.read(0, path, kind);
    reader.into_files().nodes.remove(0)
}

fn common_names(files: &Node, path: &str) -> Vec<String> {
    match &files.files[path].content {
        Ok(FileContent::Pem(facts)) => facts.certificates.iter().map(|certificate| certificate.value.common_name.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn links_are_followed_as_on_the_node() {
    let inside = Authority::new("inside").unwrap().identity().certificate.clone();
    let outside = node(&[("ca.crt", &Authority::new("outside").unwrap().identity().certificate)]);
    let root = node(&[("pki/real.crt", &inside), ("ca.crt", &inside)]);
    let link = |target: &str, name: &str| symlink(target, root.path().join(name)).unwrap();
    link("/pki/real.crt", "pki/absolute.crt");
    link("real.crt", "pki/relative.crt");
    link("../../../../../../pki/real.crt", "pki/above.crt");
    link("/pki", "directory");
    link(outside.path().join("ca.crt").to_str().unwrap(), "pki/out.crt");
    link("circle.crt", "pki/circle.crt");
    for path in ["/pki/absolute.crt", "/pki/relative.crt", "/pki/above.crt", "/directory/real.crt", "/pki/../pki/real.crt"] {
        assert_eq!(common_names(&of_node(root.path(), path, FileKind::Pem), path), ["inside"], "{path}");
    }
    let out = of_node(root.path(), "/pki/out.crt", FileKind::Pem);
    assert!(matches!(out.files["/pki/out.crt"].content, Err(FileFault::Absent)), "{out:?}");
    let circle = of_node(root.path(), "/pki/circle.crt", FileKind::Pem);
    assert!(matches!(&circle.files["/pki/circle.crt"].content, Err(FileFault::Unreadable(why)) if why.contains("circle")), "{circle:?}");
}

#[test]
fn what_is_not_there_or_no_file_is_a_fact() {
    let root = node(&[("etc/a", "")]);
    for (path, expected) in [("/etc/b", FileFault::Absent), ("/etc/a/b", FileFault::Absent), ("/etc", FileFault::Unreadable("it is no file".to_owned()))] {
        let files = of_node(root.path(), path, FileKind::Pem);
        assert_eq!(files.files[path].content.as_ref().unwrap_err(), &expected, "{path}");
    }
    assert!(Reader::of(&[]).unwrap().into_files().nodes.is_empty());
}

#[test]
fn a_file_that_is_larger_than_such_files_are_is_not_read() {
    let root = node(&[]);
    fs::File::create(root.path().join("huge")).unwrap().set_len(64 << 20).unwrap();
    let files = of_node(root.path(), "/huge", FileKind::Pem);
    assert_eq!(files.files["/huge"].content.as_ref().unwrap_err(), &FileFault::TooLarge(16));
}

#[test]
fn no_key_and_no_token_is_kept_of_a_file() {
    let key = Authority::new("a").unwrap().identity().key.clone();
    let kubeconfig = "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: [{name: a, user: {token: hunter2}}]\n";
    let root = node(&[("key.pem", &key), ("tokens.csv", "hunter2,ann,1\n"), ("config", kubeconfig)]);
    fs::set_permissions(root.path().join("config"), fs::Permissions::from_mode(0o640)).unwrap();
    let mut reader = Reader::of(&[]).unwrap();
    for (kind, name) in [(FileKind::Pem, "key.pem"), (FileKind::Tokens, "tokens.csv"), (FileKind::Configuration, "config")] {
        reader.give(kind, &root.path().join(name));
    }
    let files = reader.into_files();
    let Ok(FileContent::Configuration(snapshot)) = &files.given[2].1.content else { panic!("{files:?}") };
    let told = format!("{files:?}{:?}", snapshot.strings().texts().collect::<Vec<_>>());
    let line = key.lines().nth(1).unwrap();
    assert!(!told.contains("hunter2") && !told.contains(line), "{told}");
    assert_eq!(files.given[2].1.mode, Some(0o640));
}

#[test]
fn nodes_are_called_as_they_call_themselves_and_each_differently() {
    let name = |host: Option<&str>| node(&host.map(|host| ("etc/hostname", host)).into_iter().collect::<Vec<_>>());
    let roots = [name(Some("CP-1\n")), name(Some("cp-1")), name(None), name(Some("no name"))];
    let paths: Vec<PathBuf> = roots.iter().map(|root| root.path().to_owned()).collect();
    let files = Reader::of(&paths).unwrap().into_files();
    let shown = |place: usize| paths[place].to_str().unwrap();
    let names: Vec<&str> = files.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["cp-1", shown(1), shown(2), shown(3)]);
    let inner = format!("{}/etc/x", shown(1));
    assert_eq!(files.node_of_source(&inner).unwrap().name, shown(1));
    assert!(files.node_of_source("/elsewhere").is_none() && files.node_of_source(&format!("{}x/y", shown(1))).is_none());
}
