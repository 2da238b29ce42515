//! Data directories in awkward places.
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use mcp_rag_actors::postgres::{self, DataDirLock};

use crate::support::{STOP, count, mode, settings, started, write_rows};

#[tokio::test]
async fn a_deep_data_directory_works_in_spite_of_the_socket_path_limit() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a".repeat(100)).join("b".repeat(60));
    let running = started(&deep).await;
    let socket_dir = running.postgres.socket_dir().to_owned();
    assert!(socket_dir.as_os_str().len() < 90);
    running.postgres.stop(STOP).await;
    fs::remove_dir_all(socket_dir).unwrap();
}

#[tokio::test]
async fn a_private_data_directory_is_opened_to_postgres_user_at_most() {
    let dir = tempfile::Builder::new().permissions(mode(0o700)).tempdir().unwrap();
    let running = started(dir.path()).await;
    running.postgres.stop(STOP).await;
    let bits = fs::metadata(dir.path()).unwrap().mode();
    assert_eq!(bits & 0o767, 0o700, "the group may pass, no more");
    let cluster = fs::symlink_metadata(dir.path().join("postgres")).unwrap();
    assert!(cluster.is_dir() && cluster.mode() & 0o777 == 0o700);
}

#[tokio::test]
async fn as_root_a_directory_closed_to_others_gets_its_cluster_and_binaries_elsewhere() {
    let closed = tempfile::Builder::new().permissions(mode(0o700)).tempdir().unwrap();
    if fs::metadata(closed.path()).unwrap().uid() != 0 {
        return; // only root changes user
    }
    let data_dir = closed.path().join("project/data");
    let mut settings = settings();
    let install = settings.bin_dir.take().unwrap();
    let copy = closed.path().join("postgres");
    let status = Command::new("cp").arg("-a").arg(install.parent().unwrap()).arg(&copy).status();
    assert!(status.unwrap().success());
    settings.bin_dir = Some(copy.join("bin"));

    let lock = DataDirLock::acquire(&data_dir).unwrap();
    let first = postgres::start(&settings, &lock).await.unwrap();
    write_rows(&first, 3).await;
    let copied = first.bin_dir().to_owned();
    first.stop(STOP).await;
    let second = postgres::start(&settings, &lock).await.unwrap();
    assert_eq!(count(&second).await, 3);
    let socket_dir = second.socket_dir().to_owned();
    second.stop(STOP).await;

    let cluster = fs::read_link(data_dir.join("postgres")).unwrap();
    assert!(cluster.starts_with("/var/lib/mcp-rag") && copied.starts_with("/var/lib/mcp-rag/bin"));
    for left in [cluster.parent().unwrap(), copied.parent().unwrap(), &socket_dir] {
        fs::remove_dir_all(left).unwrap();
    }
}
