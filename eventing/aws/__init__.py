"""Services of AWS, as adapters of IntegrationSources and IntegrationSinks use them.

Nothing of it is imported by control or by the broker; ``aiobotocore`` (the extra ``aws``) is
imported when the first client is made.
"""
