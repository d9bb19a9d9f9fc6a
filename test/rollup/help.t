# Where no worker folds, those who write do: what lies unfolded of a workspace stays bounded, and nothing is lost by it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../fuzz";
use Fuzz;
use Test::More;

fresh_database('la_rollup_help'); # nobody has said start() there: no worker
my @said = run_sql(
    q{SELECT leadanalytics.create_workspace('helped') },
    q{CREATE FUNCTION batch(n int) RETURNS json LANGUAGE sql AS $$ SELECT json_build_object('events', json_agg(json_build_object('event_name', 'page_view', 'visitor_id', 'v' || i % 100, 'event_data', json_build_object('url', 'https://x.example/' || i % 50)))) FROM generate_series(1, n) AS i $$},
    q{SELECT 'batches', count(leadanalytics.track(1, batch(1000))) FROM generate_series(1, 30)},
    q{SELECT 'unfolded', sum(n) FROM leadanalytics.ledger WHERE workspace = 1},
    q{SELECT 'events', count(leadanalytics.track(1, batch(1))) FROM generate_series(1, 300)},
    q{SELECT 'unfolded', sum(n) <= 20000 + 64 FROM leadanalytics.ledger WHERE workspace = 1},
    q{SELECT 'answer', events, visitors FROM leadanalytics.totals(1, '-infinity', 'infinity')},
    q{SELECT 'differences', count(*) FROM leadanalytics.reconcile(1)});
is_deeply(\@said, [ '1', 'batches|30', 'unfolded|30000', 'events|300', 'unfolded|t', 'answer|30300|100', 'differences|0' ], 'writers fold') or diag(explain(\@said));
done_testing;
