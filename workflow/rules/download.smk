rule download:
    """Bring the raw archive of one bin to hold an answer for each source of the project."""
    output:
        manifest="{project}/manifests/{obs}_photometry_{bin}.jsonl",
    log:
        "{project}/logs/download/{obs}_{bin}.log",
    benchmark:
        "{project}/benchmarks/download/{obs}_{bin}.tsv"
    resources:
        mem_mb=1000,
    params:
        raw="{obs}/{obs}_photometry_{bin}.h5",
        stage=stage("download"),
    shell:
        "{PYTHON} {SCRIPTS}/download.py {PLAN.catalog.path} {params.raw} {output.manifest}"
        " --params {params.stage:q} --options {OPTIONS:q} --log {log}"
