//! A few rows of the chaos table, so that its machinery works on the day it is needed. The whole table is
//! `make chaos`.

use mcp_rag_chaos::table::{self, Plan};
use mcp_rag_chaos::world::Program;

const ROWS: [&str; 4] = ["Redis killed", "managed PostgreSQL killed", "slow-loris", "LLM returns 500"];

#[test]
fn a_few_rows_of_the_chaos_table_hold_and_lose_no_write() {
    let rows: Vec<_> = table::rows()
        .into_iter()
        .filter(|row| ROWS.iter().any(|name| row.fault.to_string().contains(name)))
        .collect();
    assert_eq!(rows.len(), ROWS.len());
    let program = Program(env!("CARGO_BIN_EXE_mcp-rag").into());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let verdicts = runtime.block_on(Box::pin(table::run(&program, &Plan::quick(), rows)));
    println!("{}", table::markdown(&verdicts));
    for verdict in &verdicts {
        assert!(verdict.holds(), "{verdict:#?}");
        assert!(verdict.answered > 0 && verdict.recoveries > 0 && verdict.acknowledged > 0, "{verdict:#?}");
    }
    let killed = verdicts.iter().find(|verdict| verdict.fault.contains("PostgreSQL")).unwrap();
    assert!(!killed.failed.is_empty() || killed.degraded > 0, "the fault was felt: {killed:#?}");
}
