-- @materialize: true
-- The exported view report_clock, partitioned by the day of started_at.
SELECT * FROM read_parquet('{{ .env.export_path }}/clock/*/*.parquet', hive_partitioning = true)
