-- @materialize: true
-- The exported view report_lead, partitioned by the day of received_at.
SELECT * FROM read_parquet('{{ .env.export_path }}/lead/*/*.parquet', hive_partitioning = true)
