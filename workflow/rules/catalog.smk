checkpoint fetch_catalog:
    """Download a catalog, or query an archive for it, and keep the answer."""
    output:
        catalog="catalogs/{catalog}",
        about="catalogs/{catalog}.json",
    log:
        "catalogs/logs/{catalog}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
    params:
        stage=lambda wildcards: PLAN.parameters("fetch_catalog"),
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" fetch_catalog {output.catalog} --params {params.stage:q}'
        ' --options "$VO_OPTIONS" --log {log}'
