//! The pool's connections are Leveret's: no server is there.

use deadpool_lapin::lapin::Broker;
use deadpool_lapin_4::{pool, submit, work};

#[tokio::test]
async fn jobs_go_through_pooled_connections() {
    let broker = Broker::in_memory();
    let pool = pool(&broker.uri(), 2).expect("a pool");
    submit(&pool, "one").await.expect("submitted");
    submit(&pool, "two").await.expect("submitted");
    assert_eq!(broker.connections().len(), 1, "who is done gives it back to the next");
    assert_eq!(work(&pool).await.expect("worked").as_deref(), Some("ONE"));
    assert_eq!(work(&pool).await.expect("worked").as_deref(), Some("TWO"));
    assert_eq!(work(&pool).await.expect("worked"), None);
}

#[tokio::test]
async fn a_connection_that_the_broker_has_closed_is_replaced() {
    let broker = Broker::in_memory();
    let pool = pool(&broker.uri(), 1).expect("a pool");
    submit(&pool, "one").await.expect("submitted");
    let connection = pool.get().await.expect("the connection");
    connection.close(200, "gone".into()).await.expect("closed");
    drop(connection);
    assert_eq!(work(&pool).await.expect("worked").as_deref(), Some("ONE"));
}
