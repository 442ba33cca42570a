-- @materialize: true
-- The exported view report_amount, partitioned by the day of received_at.
SELECT * FROM read_parquet('{{ .env.export_path }}/amount/*/*.parquet', hive_partitioning = true)
