-- Words of the dictionary that somebody used who was erased: perhaps nobody else does.

CREATE TABLE leadanalytics.erased_term (
    workspace int NOT NULL,
    id int NOT NULL,
    hidden_by xid8,
    hidden_at timestamptz,
    PRIMARY KEY (workspace, id)
);
COMMENT ON TABLE leadanalytics.erased_term IS 'entries of the dictionary that somebody used who was erased, until it is known whether somebody else does: see leadanalytics.drop_erased_terms()';
COMMENT ON COLUMN leadanalytics.erased_term.hidden_by IS 'the transaction since which no batch finds it; null: it is found';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.erased_term', '');
