//! Nothing crosses between tenants, nor from a document to whom its acl does not name: thousands of random operations
//! by many callers through every surface of a real server with a shared cache, each answer looked through for what is
//! not the caller's; and the same questions to the database without any condition of the application's.
//!
//! The seed is printed; `MCP_RAG_SEED` repeats a run, `MCP_RAG_OPERATIONS` makes a longer one.

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what only other tests use")]
mod support;

mod bare;
mod dice;
mod surfaces;
mod walk;
mod world;

use dice::Dice;
use mcp_rag_chaos::redis::Redis;
use walk::Walk;
use world::World;

const OPERATIONS: u64 = 2_400;
/// Between two looks at the database by itself.
const BARE_EVERY: u64 = 150;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_byte_crosses_by_any_surface_and_row_level_security_alone_holds_too() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let seed = number("MCP_RAG_SEED").unwrap_or_else(|| u64::from(now.subsec_nanos()));
    println!("MCP_RAG_SEED={seed}");
    let redis = Redis::start();
    let world = World::start(&redis.url());
    let mut walk = Walk::new(world, Dice::new(seed));
    for step in 0..number("MCP_RAG_OPERATIONS").unwrap_or(OPERATIONS) {
        walk.step();
        if step % BARE_EVERY == 0 {
            bare::check(&walk.world);
        }
    }
    bare::check(&walk.world);
    walk.report();
}
