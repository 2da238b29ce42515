use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use tokio_postgres::{Config, NoTls};

/// An exclusive lock on a table, held by a session of its own until it is dropped.
pub struct Lock {
    release: Option<oneshot::Sender<()>>,
    holder: Option<JoinHandle<()>>,
}

impl Lock {
    pub(super) fn take(config: Config, table: &str) -> Self {
        let (release, released) = oneshot::channel();
        let (taken, held) = mpsc::channel();
        let sql = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        let hold = async move {
            let (client, connection) = config.connect(NoTls).await.expect("it connects");
            let driver = tokio::spawn(connection);
            client.batch_execute(&sql).await.expect("the lock");
            taken.send(()).expect("someone waits for the lock");
            let _ = released.await; // an error is a dropped lock, too
            drop(client);
            let _ = driver.await;
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let holder = std::thread::spawn(move || runtime.block_on(hold));
        held.recv_timeout(super::PATIENCE).expect("the lock is taken in time");
        Self { release: Some(release), holder: Some(holder) }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.release.take());
        if let Some(holder) = self.holder.take() {
            let _ = holder.join();
        }
    }
}
