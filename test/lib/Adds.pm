# What must hold of all that was ever stored, whoever collided, fell or came twice: statements that answer
# with what does not add up.
package Adds;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(adding_up);

# Of one workspace, or of all.
sub adding_up
{
    my ($workspace) = @_;
    my $of = sub { return defined $workspace ? "$_[0].workspace = $workspace" : 'true' };
    my $whose = defined $workspace ? "w.id = $workspace" : 'true';
    return (
        "SELECT 'ledger', l.* FROM leadanalytics.ledger l WHERE @{[$of->('l')]} AND n <> (SELECT count(*) FROM leadanalytics.event e WHERE e.id BETWEEN l.id_from AND l.id_to AND e.at BETWEEN l.at_min AND l.at_max AND e.workspace = l.workspace AND date_trunc('month', e.at AT TIME ZONE 'UTC') = l.leaf)",
        "SELECT 'events of the answers', w.id, a.counts, a.members, r.n, r.visitors FROM leadanalytics.workspace w CROSS JOIN LATERAL (SELECT count(*) AS n, count(DISTINCT e.visitor) AS visitors FROM leadanalytics.event e WHERE e.workspace = w.id) r LEFT JOIN LATERAL leadanalytics.answer_from_segments(w.id, '{total}', '{-infinity,infinity}', now(), true, true, 0, false, '{}', '{}') a ON true WHERE $whose AND (coalesce(a.counts[1], 0), coalesce(a.members, 0)) IS DISTINCT FROM (r.n, r.visitors)",
        "SELECT 'segment', w.id, r FROM leadanalytics.workspace w CROSS JOIN LATERAL leadanalytics.reconcile_buckets(w.id, '-infinity', 'infinity') r WHERE $whose",
        "SELECT 'session', s.number, s.events, count(e.id) FROM leadanalytics.session s LEFT JOIN leadanalytics.event e ON (e.workspace, e.session) = (s.workspace, s.number) WHERE @{[$of->('s')]} GROUP BY s.number, s.events HAVING s.events <> count(e.id)",
        "SELECT 'session by its events', s.number, s.started_at, min(e.at), s.last_seen, max(e.at), s.pageviews FROM leadanalytics.session s JOIN leadanalytics.event e ON (e.workspace, e.session) = (s.workspace, s.number) WHERE @{[$of->('s')]} GROUP BY s.workspace, s.number HAVING s.last_seen <> max(e.at) OR s.started_at < min(e.at) OR s.pageviews <> count(*) FILTER (WHERE e.kind = 'p')",
        "SELECT 'event without its session', e.id FROM leadanalytics.event e LEFT JOIN leadanalytics.session s ON (e.workspace, e.session) = (s.workspace, s.number) WHERE @{[$of->('e')]} AND e.session IS NOT NULL AND s.number IS NULL",
        "SELECT 'event without its visitor', e.id FROM leadanalytics.event e LEFT JOIN leadanalytics.visitor v ON (e.workspace, e.visitor) = (v.workspace, v.number) WHERE @{[$of->('e')]} AND e.visitor IS NOT NULL AND v.number IS NULL",
        "SELECT 'visitor', v.visitor_id, v.sessions, count(s.number) FROM leadanalytics.visitor v LEFT JOIN leadanalytics.session s ON (s.workspace, s.visitor) = (v.workspace, v.number) WHERE @{[$of->('v')]} GROUP BY v.visitor_id, v.sessions HAVING v.sessions <> count(s.number)",
        "SELECT 'returns', s.visitor, string_agg(s.returns::text, ',') FROM leadanalytics.session s WHERE @{[$of->('s')]} AND visitor IS NOT NULL GROUP BY visitor HAVING max(s.returns) <> count(*) - 1 OR count(DISTINCT s.returns) <> count(*)",
        "SELECT 'event_id', event_id FROM leadanalytics.event e WHERE @{[$of->('e')]} AND event_id IS NOT NULL GROUP BY workspace, event_id HAVING count(*) > 1",
        "SELECT 'term', e.id FROM leadanalytics.event e LEFT JOIN leadanalytics.term t ON (t.workspace, t.id) = (e.workspace, e.name) WHERE @{[$of->('e')]} AND t.id IS NULL",
        "SELECT 'person', p.user_id FROM leadanalytics.person p LEFT JOIN leadanalytics.person root ON (root.workspace, root.number) = (p.workspace, p.alias_of) WHERE @{[$of->('p')]} AND p.alias_of IS NOT NULL AND (root.number IS NULL OR root.alias_of IS NOT NULL)",
    );
}

1;
